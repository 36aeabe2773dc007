"""The README of a deployment's folder: what is in it, how to run it, what a recording shows, what microcode must do."""

import json
from collections.abc import Iterable
from pathlib import Path

from ff2loihi.backends.loihi import plan as board_plan
from ff2loihi.compilers.interchange.rule_file import SUFFIX
from ff2loihi.compilers.ir import AnyProgram, IntNetwork, LearningNetwork
from ff2loihi.compilers.learning import fit as learning_fit
from ff2loihi.data.datasets import Dataset
from ff2loihi.processes.limits import ADAPTER_STEPS_IN, ADAPTER_STEPS_OUT
from ff2loihi.verification import golden

TEXTS = Path(__file__).with_name("texts")
MAPPING, RULE = "mapping.json", f"network{SUFFIX}"
CONTENTS = {
    "run_on_board.py": "the script: builds the network of library processes, runs it through Loihi2HwCfg, records it",
    "classify_on_board.py": "what the script runs for a network that classifies",
    "learn_on_board.py": "what the script runs for a network that learns",
    "board_config.py": "what the script uses: models for neurocores alone, the recording",
    "library_layers.py": "what the script uses: the layers of a network that classifies, as plain numbers",
    "library_neurons.py": "what the script uses: the network, of library processes alone",
    "playback.py": "a process that the script uses: the input",
    "record.py": "a process that the script uses: what comes back",
    "rows.py": "what the script uses: the rows that came back, cut into passes",
    "board.json": "what runs when, the adapters' delays; of a network that learns, every constant",
    "network.net": "the layers (netx, HDF5); other fields than netx's: see ff2loihi's docs/guides/nir-and-netx.md",
    MAPPING: "cores, chips and board as `ff2loihi map` plans them; what it counts, and broken rules",
    "inputs.npy": "the input's spikes, a row a time step",
    "control.npy": "what clears the counters and enables the thermometers, a row a time step",
    "job.sh": "the same as a SLURM job",
    RULE: "the learning rule: the engine's strings, every constant, the equations",
    golden.FILE: "golden vectors: every state at every step",
    golden.LEARNING_FILE: "golden vectors of its learning, each sample right, then wrong",
}
UNROLLED = "the convolution of that layer, counted from 0, as a sparse matrix as scipy saves it"


def readme(
    program: AnyProgram, digest: str, data: Dataset, wrong: list[str], remarks: list[str], files: list[str]
) -> str:
    """The text. wrong: what keeps the network off library processes; remarks: what to know before it runs."""
    network = program.network
    shape = "-".join(str(n) for n in (network.inputs, *(layer.neurons for layer in network.layers)))
    shown = f"{len(data.labels)} {data.split} samples of {data.name}"
    contents = _list(f"`{name}`: {CONTENTS.get(name, UNROLLED)}" for name in files)
    parts = [_text("head", shape=shape, digest=digest, data=shown, files=contents)]
    if remarks:
        parts += ["Before it runs:", _list(remarks)]
    if wrong:
        parts += [_text("needs", obstacles=_list(wrong)), *_microcode(network, digest, golden.FILE)]
    else:
        when = _when(network, digest)
        parts.append(_text("run", when=when, into=ADAPTER_STEPS_IN, out=ADAPTER_STEPS_OUT))
        if isinstance(network, LearningNetwork) and not network.library:
            parts += ["## To learn there", *_microcode(network, digest, golden.LEARNING_FILE)]
    return "\n\n".join(parts) + "\n"


def _text(name: str, **values: object) -> str:
    return (TEXTS / f"{name}.md").read_text(encoding="utf-8").rstrip().format(**values)


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _when(network: IntNetwork | LearningNetwork, digest: str) -> str:
    if isinstance(network, LearningNetwork) and network.library:
        return _text("when_it_learns", interval=network.period)
    plan = board_plan.plan(network, digest, 1)
    return _text("when_it_classifies", interval=plan["interval"], stride=plan["stride"])


def _microcode(network: IntNetwork | LearningNetwork, digest: str, file: str) -> list[str]:
    """What a recording of microcode has to hold, and what that microcode has to compute."""
    facts = {"format": golden.RECORDING, "version": golden.VERSION, "artifact": digest}
    parts = [_text("microcode", file=file, facts=json.dumps(facts))]
    if isinstance(network, LearningNetwork):
        equations = _list(f"{what}: {chip} [{paper}]" for what, paper, chip in learning_fit.describe(network))
        parts += ["What the microcode has to compute, each line beside the paper's (Terres-Escudero 2024):", equations]
    return parts
