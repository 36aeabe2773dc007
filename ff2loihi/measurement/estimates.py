"""What `estimate` says of a program: the events of each way to use it, and their bands on a board."""

from ff2loihi.backends.base import Trace
from ff2loihi.compilers.board.rules import Design
from ff2loihi.compilers.choices import BoardForm
from ff2loihi.compilers.ir import AnyProgram, LearningNetwork, Program, learns
from ff2loihi.data.datasets import Dataset
from ff2loihi.measurement.activity import (
    inference_activity,
    over_presentations,
    presentation_activity,
    summed,
)
from ff2loihi.measurement.deployed_activity import deployed_activity
from ff2loihi.measurement.library_activity import library_presentations
from ff2loihi.reports.energy import Estimate, estimate
from ff2loihi.reports.events import Activity, Counts


def activities(
    program: AnyProgram, images: Dataset, trace: Trace, form: BoardForm
) -> tuple[Activity, dict[str, Activity]]:
    """(of the network alone, a mode -> what a board has of it in that form). trace: of these images."""
    if learns(program):
        modes = _learning(program, images)
        return modes["inference"], modes
    plain = inference_activity(program.network, trace, images.images)
    deployed = form == "deployed"
    return plain, {"inference": deployed_activity(program.network, plain, images.images) if deployed else plain}


def on_board(found: Counts, design: Design) -> Estimate:
    """The bands of those events on a design's board, which holds the network."""
    assert design.mapping is not None
    return estimate(found, design.chip.generation, design.mapping.chips, design.board.count)


def _learning(program: Program[LearningNetwork], images: Dataset) -> dict[str, Activity]:
    """Inference under every label; one presentation that learns; scores, then pairs, as the artifact's last run did."""
    net = program.network
    if net.library:
        quiet, teaching = library_presentations(net, images)
    else:
        one = presentation_activity(net, images.images)
        quiet, teaching = over_presentations(one, 1, 0), over_presentations(one, 1, 1)
    log = [entry for run in program.provenance.get("learned", []) for entry in run["log"]]
    share = log[-1]["learned"] if log else 1.0
    pairs = f"learning, pairs of {share:.0%} of the images"
    return {
        "inference": summed((quiet, net.classes)),
        "learning, one showing": teaching,
        pairs: summed((quiet, net.classes), (teaching, 2 * share)),
    }
