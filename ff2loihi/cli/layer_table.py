"""What a person sees of an inference network, a row for each layer, and how events enter any network."""

from ff2loihi.cli import console
from ff2loihi.compilers.inference import arithmetic_rules
from ff2loihi.compilers.ir import Binning, IntNetwork, Program


def binned(events: Binning | None) -> dict[str, str]:
    """The row that says how events become spikes; none where the network takes images."""
    return {} if events is None else {"events": str(events)}


def show_layers(program: Program[IntNetwork]) -> None:
    """Each layer's size and range, and what it lost to the integers."""
    net = program.network
    rows = []
    for layer, use in zip(net.layers, arithmetic_rules.usage(net), strict=True):
        ranges = f"shift {layer.shift}" if net.neuron == "graded" else f"vth {layer.vth}"
        if layer.leak:
            ranges += f", du {layer.leak.du}, dv {layer.leak.dv}"
        rows.append(
            (layer.name, use["shape"], use["neurons"], use["synapses"], f"{layer.weight_bits} bit", ranges)
        )  # fmt: skip
    columns = ("layer", "shape", "neurons", "synapses", "weights", "range")
    if not program.losses:
        console.table("its layers, whose integers are those of their file", columns, rows)
        return
    lost = [
        (f"{loss.weight_sqnr_db:.1f} dB", f"{loss.clipped:.2%}", f"{loss.saturated:.2%}", f"{loss.activity_corr:.4f}")
        for loss in program.losses
    ]
    rows = [(*row, *figures) for row, figures in zip(rows, lost, strict=True)]
    console.table("what each layer lost", (*columns, "SQNR", "clipped", "saturated", "r"), rows)
    rows = [
        (layer.name, *(f"{value:.1f} dB" for value in loss.neurons_db), loss.vanished, loss.silent, loss.float_silent)
        for layer, loss in zip(net.layers, program.losses, strict=True)
        if loss.neurons_db
    ]
    columns = ("layer", "least SQNR", "lowest tenth", "half", "without weights", "never fire", "never in float")
    if rows:
        console.table("what its neurons lost", columns, rows)
