"""What passes between the stages is not changed by any of them."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from ff2loihi.backends.select import emulator_learner
from ff2loihi.compilers.ir import structure
from ff2loihi.processes.limits import MAX_LEARNING_INPUTS


def arrays(value):
    """Every array within a dataclass, its tuples and dictionaries."""
    if isinstance(value, np.ndarray):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from arrays(getattr(value, field.name))
    elif isinstance(value, tuple | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from arrays(one)


def test_no_array_of_a_network_can_be_written_to(programs, float_net):
    for network in (float_net(1, bias=True), *(program.network for program in programs.values())):
        found = list(arrays(network))
        assert len(found) >= 4
        for array in found:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_an_array_that_a_network_was_made_of_stays_the_callers(float_net):
    net = float_net(1)
    mine = np.ones(net.layers[0].weight.shape, np.float32)
    layer = type(net.layers[0])("hidden1", mine, None, net.layers[0].positive)
    mine[0, 0] = 3  # not frozen
    assert not layer.weight.flags.writeable


@pytest.mark.parametrize("kind", ["direct", "tag", "library"])
def test_a_learner_of_one_neuron_learns_with_weights_of_its_own(programs, kind):
    """A matrix of one row is contiguous either way: what looks like a copy would be the network's own."""
    net = programs[kind].network
    first = net.layers[0]
    one = replace(first, weight=first.weight[:1], positive=first.positive[:1])
    learner = emulator_learner(replace(net, layers=(one,)))
    for layer in getattr(learner, "layers", [learner]):
        assert layer.w.flags.writeable
        assert not np.shares_memory(layer.w, one.weight)


def test_a_layer_that_learns_has_no_more_inputs_than_its_sums_have_room_for(programs):
    net = programs["direct"].network
    assert list(structure.learning(net)) == []
    for more, words in (
        (0, []),
        (1, [f"hidden1: {MAX_LEARNING_INPUTS + 1:,} inputs, a layer that learns has at most"]),
    ):
        inputs = MAX_LEARNING_INPUTS + more
        first = replace(net.layers[0], weight=np.zeros((len(net.layers[0].positive), inputs), np.int16))
        wide = replace(net, pixels=inputs - net.label_codes.shape[1], layers=(first, *net.layers[1:]))
        found = list(structure.learning(wide))
        assert [line.startswith(start) for line, start in zip(found, words, strict=True)] == [True] * len(words)
