"""A sweep from its space to its report: what is finished already is not run again."""

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ff2loihi import choices
from ff2loihi.compilers.errors import FF2LoihiError
from ff2loihi.compilers.files import locked
from ff2loihi.sweeps import results, workers
from ff2loihi.sweeps.report import Report, report
from ff2loihi.sweeps.space import Space, read_space
from ff2loihi.sweeps.trial import OUTCOME, Measured, Trial, content, splits, trial_of

if TYPE_CHECKING:
    from ff2loihi.backends.gpu.device import Gpu


@dataclass(frozen=True)
class Hooks:
    """What a sweep tells: started(trials, of them finished), progress(done, total, note), say(text)."""

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
    trials = list(_trials(space, data_root))
    ours = trials[first - 1 :: step]
    try:
        output.mkdir(exist_ok=True)
    except OSError as failure:
        raise FF2LoihiError(f"--output {output}: {failure.strerror}. Choose another folder") from None
    file = output / (results.NAME if part is None else results.NAME.replace(".", f"-{first}of{step}."))
    with locked(Path(f"{file}.lock"), FF2LoihiError, f"{file}: another sweep writes into it"):
        found = results.in_folder(output)
        missing = [trial for trial in ours if trial.hash not in found]
        hooks.started(len(ours), len(ours) - len(missing))
        own = results.Results(file)
        with closing(_outcomes(missing, count, scheduler, cluster, gpu, hooks)) as running:
            for number, text in enumerate(running, 1):
                outcome = OUTCOME.validate_json(text)
                own.append(outcome)
                found[outcome.trial] = outcome
                note = f"{outcome.accuracy:.2%}" if isinstance(outcome, Measured) else outcome.error
                hooks.progress(len(ours) - len(missing) + number, len(ours), note)
        ordered = [found[trial.hash] for trial in trials if trial.hash in found]
        if part is None:
            own.write(ordered)
    return report(space, len(trials), ordered)


def _outcomes(
    trials: Sequence[Trial], count: int, scheduler: str | None, cluster: Path | None, gpu: "Gpu | None", hooks: Hooks
) -> Generator[str]:
    tasks = [trial.model_dump_json() for trial in trials]
    if not tasks:
        return
    if gpu is not None:
        from ff2loihi.sweeps import together

        yield from together.outcomes(tasks, gpu)
    elif scheduler is not None:
        from ff2loihi.sweeps.scheduler import Place, outcomes

        yield from outcomes(tasks, Place(scheduler, f"--scheduler {scheduler}"), hooks.say)
    elif cluster is not None:
        from ff2loihi.sweeps import cluster as jobs
        from ff2loihi.sweeps.scheduler import outcomes

        with jobs.cluster(cluster) as place:
            yield from outcomes(tasks, place, hooks.say)
    else:
        yield from workers.outcomes(tasks, count)


def _gpu() -> "Gpu":
    from ff2loihi.backends.gpu.device import Gpu  # numba, for those who ask for it

    return Gpu()


def _trials(space: Space, data_root: Path | None) -> Iterator[Trial]:
    contents: dict[str, str] = {}
    for settings in space.trials():
        data = settings.train.data
        if data not in contents:
            contents[data] = content(splits(data, data_root))
        yield trial_of(settings, contents[data], data_root)


def _part(text: str | None) -> tuple[int, int]:
    """I/N -> (I, N); all of it for None."""
    if text is None:
        return 1, 1
    match = re.fullmatch("([0-9]{1,6})/([0-9]{1,6})", text, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise FF2LoihiError(f"--part must be I/N with I in 1..N, as 1/8, got {text!r}")
    return int(match[1]), int(match[2])
