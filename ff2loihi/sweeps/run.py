"""A sweep from its space to its report: what is finished already is not run again."""

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ff2loihi import choices
from ff2loihi.compilers.errors import FF2LoihiError, brief
from ff2loihi.compilers.files import locked
from ff2loihi.sweeps import results, search
from ff2loihi.sweeps.report import Report, report
from ff2loihi.sweeps.scheduler import Outcomes, Place, connected
from ff2loihi.sweeps.settings import Settings
from ff2loihi.sweeps.space import Space, read_space
from ff2loihi.sweeps.trial import OUTCOME, Measured, Outcome, Trial, content, splits, trial_of
from ff2loihi.workers import Pool

if TYPE_CHECKING:
    from ff2loihi.backends.gpu.device import Gpu


@dataclass(frozen=True)
class Hooks:
    """What a sweep tells: started(trials, of them finished), progress(done, total, note), say(text).

    trials, total: of a search at most so many, as a point that it suggests twice is run once.
    """

    started: Callable[[int, int], None] = lambda trials, finished: None
    progress: Callable[[int, int, str], None] = lambda done, total, note: None
    say: Callable[[str], None] = lambda text: None


def sweep(
    source: Path | str | Mapping, output: Path, count: int = 1, scheduler: str | None = None, part: str | None = None,
    data_root: Path | None = None, hooks: Hooks | None = None, device: str = "cpu", cluster: Path | None = None,
) -> Report:  # fmt: skip
    """Run the trials that `output` holds no result of.

    count: of worker processes; in their place scheduler: dask's address, or cluster: a file for dask-jobqueue, which
    starts one and its workers.
    part: I/N, each N-th trial from the I-th on, with a file of results of its own. device: cuda: trials learn at once
    on a GPU, with this process alone. Raises FF2LoihiError.
    """
    choices.check("--device", device, choices.Device)
    if device == "cuda" and (count > 1 or scheduler or cluster):
        raise FF2LoihiError("--device cuda: the GPU is the one worker. Leave --workers, --scheduler and --cluster out")
    places = {"--workers": count > 1, "--scheduler": scheduler, "--cluster": cluster}
    chosen = [name for name, given in places.items() if given]
    if len(chosen) > 1:
        raise FF2LoihiError(f"{' and '.join(chosen)}: each says where the trials run. Give one of them")
    gpu = _gpu() if device == "cuda" else None
    hooks, space = hooks or Hooks(), read_space(source)
    first, step = _part(part)
    if space.searches and part is not None:
        raise FF2LoihiError(
            f"--part {part}: draw.by: optuna: a search goes on from all results so far. Use --workers, --scheduler or "
            "--cluster"
        )
    found: dict[str, Outcome] = {}
    rounds = _rounds(space, data_root, found)
    begin = next(rounds)  # what is wrong in the space is told before there is a folder
    try:
        output.mkdir(exist_ok=True)
    except OSError as failure:
        raise FF2LoihiError(f"--output {output}: {failure.strerror}. Choose another folder") from None
    file = output / (results.NAME if part is None else results.NAME.replace(".", f"-{first}of{step}."))
    trials: dict[str, Trial] = {}
    ours: dict[str, Trial] = {}
    with locked(Path(f"{file}.lock"), FF2LoihiError, f"{file}: another sweep writes into it"), ExitStack() as stack:
        found |= results.in_folder(output)
        own = results.Results(file)
        run: Outcomes | None = None
        for made, later in chain((begin,), rounds):
            trials |= made
            ours |= dict(list(made.items())[first - 1 :: step])
            missing = [trial.model_dump_json() for name, trial in ours.items() if name not in found]
            if not missing:
                continue
            done, total = len(ours) - len(missing), len(ours) + later
            if run is None:
                hooks.started(total, done)
                run = stack.enter_context(_place(count, scheduler, cluster, gpu, hooks))
            with closing(run(missing)) as running:
                for number, text in enumerate(running, done + 1):
                    outcome = OUTCOME.validate_json(text)
                    own.append(outcome)
                    found[outcome.trial] = outcome
                    note = f"{outcome.accuracy:.2%}" if isinstance(outcome, Measured) else outcome.error
                    hooks.progress(number, total, note)
        if run is None:
            hooks.started(len(ours), len(ours))
        ordered = [found[name] for name in trials if name in found]
        if part is None:
            own.write(ordered)
    return report(space, len(trials), ordered)


def _rounds(
    space: Space, data_root: Path | None, found: Mapping[str, Outcome]
) -> Generator[tuple[dict[str, Trial], int]]:
    """The trials that can run, by their hashes, and how many more follow at most, once all of these are found."""

    @cache
    def data_sha256(data: str) -> str:
        return content(splits(data, data_root))

    def made(settings: Settings) -> Trial:
        return trial_of(settings, data_sha256(settings.train.data), data_root)

    def accuracy(settings: Settings) -> float:
        outcome = found[made(settings).hash]
        return outcome.accuracy if isinstance(outcome, Measured) else 0.0

    for settings, later in search.rounds(space, accuracy) if space.searches else ((space.trials(), 0),):
        yield {trial.hash: trial for trial in map(made, settings)}, later


@contextmanager
def _place(
    count: int, scheduler: str | None, cluster: Path | None, gpu: "Gpu | None", hooks: Hooks
) -> Generator[Outcomes]:
    """What gives the outcomes of trials, both as JSON, as they come; its end ends what it started."""
    with ExitStack() as stack:
        if gpu is not None:
            from ff2loihi.sweeps import together

            yield partial(together.outcomes, device=gpu)
        elif scheduler is not None or cluster is not None:
            place = Place(str(scheduler), f"--scheduler {scheduler}")
            if cluster is not None:
                from ff2loihi.sweeps import cluster as jobs

                place = stack.enter_context(jobs.cluster(cluster))
            yield stack.enter_context(connected(place, hooks.say))
        else:
            pool = stack.enter_context(Pool("ff2loihi.sweeps.execution:run_trial", count, _named))
            yield lambda tasks: (found for _, found in pool.outcomes(tasks))


def _named(task: str) -> str:
    return f"the trial {brief(task, 150)}"


def _gpu() -> "Gpu":
    from ff2loihi.backends.gpu.device import Gpu  # numba, for those who ask for it

    return Gpu()


def _part(text: str | None) -> tuple[int, int]:
    """I/N -> (I, N); all of it for None."""
    if text is None:
        return 1, 1
    match = re.fullmatch("([0-9]{1,6})/([0-9]{1,6})", text, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise FF2LoihiError(f"--part must be I/N with I in 1..N, as 1/8, got {text!r}")
    return int(match[1]), int(match[2])
