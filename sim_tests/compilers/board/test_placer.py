"""Cores, chips and boards: the tables that Intel printed, a second count of every core, and nothing lost."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ff2loihi.compilers.board import placer
from ff2loihi.compilers.board.audit import recount
from ff2loihi.compilers.board.chips import load_table
from ff2loihi.compilers.board.placement import Fill, Part, shares
from ff2loihi.compilers.board.placer import place
from ff2loihi.compilers.board.populations import (
    Kernels,
    OneToOne,
    Population,
    Rows,
    populations,
)
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.ir import fields
from ff2loihi.compilers.ir.convolution import Conv
from ff2loihi.processes.limits import COMPILER_FACTOR
from sim_tests.factories import learning_layer, learning_network, library_network

TABLE = load_table()
LOIHI2 = TABLE.chips["loihi2"]


def learning_chain(widths: tuple[int, ...]) -> tuple[Population, ...]:
    """The populations of a LearningNetwork; widths[0] counts pixels and label inputs."""
    layers = (learning_layer((n, inputs), f"hidden{index}") for index, (inputs, n) in enumerate(pairwise(widths), 1))
    return populations(learning_network(*layers))


def test_a_layer_that_learns_is_a_plastic_population_and_a_unit_that_modulates_it():
    layer, unit, *above = learning_chain((30, 20, 8))
    assert (layer.name, layer.neurons, layer.plastic) == ("hidden1", 20, True)
    assert [(rows.source, rows.axons, rows.plastic) for rows in layer.rows] == [
        ("input", 30, True), ("hidden1.goodness", 2, False), ("control", 1, False),
    ]  # fmt: skip
    assert [(rows.source, rows.axons) for rows in unit.rows] == [("hidden1", 20), ("control", 1)]
    assert (unit.layer, unit.plastic) == ("hidden1", False)
    assert above[0].rows[0].source == "hidden1"


def test_intels_mnist_network_takes_3_and_1_and_1_cores_with_the_percentages_that_are_printed(dense_chain):
    mapping = place(dense_chain((784, 128, 64, 10)), "loihi2", LOIHI2)
    assert [len(mapping.cores_of(name)) for name in ("hidden1", "hidden2", "hidden3")] == [3, 1, 1]
    assert len(mapping.cores) == 5
    first, last = (shares(mapping.cores_of(name)[0].fill, LOIHI2) for name in ("hidden1", "hidden3"))
    assert f"{first['AxonIn']:.2f}" == "4.90"
    assert f"{last['Neurons']:.2f}" == "0.24"
    assert f"{first['NeuronGr']:.2f}" == "12.50"
    assert list(first) == ["AxonIn", "NeuronGr", "Neurons", "Synapses", "AxonMap", "AxonMem", "Total"]


# axons, neurons, words: rows of PilotNet's dense layers (lava-dl, pilotnet_snn/benchmark.ipynb)
@pytest.mark.parametrize(("axons", "neurons", "words"), [(10, 1, 10), (50, 10, 150), (100, 50, 1300)])
def test_words_of_dense_rows_are_those_that_intels_compiler_prints(axons, neurons, words):
    assert Rows("input", axons).words(neurons, LOIHI2) == words


# PilotNet's layers, (shape below, channels, kernel, stride) or (axons, neurons), and the cores that Intel's compiler
# took; the convolution 24 x 7 -> 22 x 4 is left out: its two strides differ
PILOTNET = [
    (Conv((3, 200, 66), 24, (3, 3), 2, 0, 1), 25),
    (Conv((24, 99, 32), 36, (3, 3), 2, 0, 1), 13),
    (Conv((36, 49, 15), 48, (3, 3), 2, 0, 1), 3),
    (Conv((64, 22, 4), 64, (3, 3), 1, 0, 1), 2),
    ((2560, 100), 12),
    ((100, 50), 1),
    ((50, 10), 1),
    ((10, 1), 1),
]


def test_intels_compiler_took_up_to_twice_our_cores_for_pilotnet_and_never_fewer():
    """The factor that `map` warns of."""
    ratios = []
    for shape, printed in PILOTNET:
        rows = Kernels("input", shape) if isinstance(shape, Conv) else Rows("input", shape[0])
        neurons = shape.neurons if isinstance(shape, Conv) else shape[1]
        ours = place((Population("hidden1", "hidden1", neurons, (rows,)),), "loihi2", LOIHI2)
        ratios.append(printed / len(ours.cores))
    assert min(ratios) >= 1
    assert max(ratios) == COMPILER_FACTOR.value


# axons, groups, neurons, words, map, mem of three rows of lava-dl's yolo_kp/run.ipynb, and what it prints of them
PRINTED = [
    (1, 1, 3584, 13824, 56, 28, ("0.01", "12.50", "87.52", "86.40", "0.35", "0.17", "87.47")),
    (1, 1, 3584, 54, 224, 112, ("0.01", "12.50", "87.52", "0.34", "1.40", "0.70", "19.88")),
    (2, 2, 2688, 3072, 2688, 0, ("0.01", "25.00", "65.64", "19.20", "16.80", "0.00", "42.26")),
]


@pytest.mark.parametrize("row", PRINTED)
def test_the_columns_wholes_reproduce_rows_of_intels_table(row):
    axons, groups, neurons, words, axon_map, axon_mem, printed = row
    table = LOIHI2.table
    ours = shares(Fill(axons, groups, neurons, words, 0), LOIHI2)
    found = [ours["AxonIn"], ours["NeuronGr"], ours["Neurons"], ours["Synapses"]]
    found += [100 * axon_map / table.axons, 100 * axon_mem / table.axons]
    found.append(100 * (axons + groups + neurons + words + axon_map + axon_mem) / table.total)
    assert [abs(value - float(text)) <= 0.0051 for value, text in zip(found, printed, strict=True)] == [True] * 7


def test_the_large_learning_network_is_on_the_smallest_board_that_holds_it_after_few_tries(monkeypatch):
    tries, fits = [], placer.fits
    monkeypatch.setattr(placer, "fits", lambda *of: tries.append(of) or fits(*of))
    mapping = place(learning_chain((884, 2000, 2000, 2000, 2000)), "loihi2", LOIHI2)
    assert len(tries) < 200 < len(mapping.cores)  # numbers of cores are found by halving, not one after the other
    board = TABLE.smallest("loihi2", mapping.chips)
    assert board.name == "kapoho-point"
    assert 7 * LOIHI2.cores < len(mapping.cores) <= board.cores
    assert recount(mapping) == []


def test_every_neuron_is_traced_back_to_its_layer(dense_chain):
    mapping = place(dense_chain((784, 128, 64, 10)), "loihi2", LOIHI2)
    found = {
        mapping.neuron(core.chip, core.number, index)
        for core in mapping.cores
        for index in range(core.fill.neurons)
    }  # fmt: skip
    widths = {"hidden1": 128, "hidden2": 64, "hidden3": 10}
    assert found == {(name, name, index) for name, n in widths.items() for index in range(n)}
    assert mapping.neuron(0, 1, 0) == ("hidden1", "hidden1", 43)
    for place_of in ((0, 5, 0), (1, 0, 0), (0, 0, 43), (0, 0, -1)):
        with pytest.raises(IndexError, match="no neuron"):
            mapping.neuron(*place_of)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 900), min_size=2, max_size=5), st.booleans(), st.booleans(), st.sampled_from([4, 120]))
def test_no_mapping_of_generated_networks_breaks_a_limit_in_the_second_count(dense_chain, widths, learns, pack, cores):
    chip = LOIHI2.model_copy(update={"cores": cores})
    chain = learning_chain(tuple(widths)) if learns else dense_chain(tuple(widths))
    mapping = place(chain, "loihi2", chip, pack)
    assert recount(mapping) == []
    assert mapping.chips == -(-len(mapping.cores) // cores)


def test_the_second_count_sees_what_is_wrong(dense_chain):
    mapping = place(dense_chain((784, 128, 64, 10)), "loihi2", LOIHI2)
    core, other = mapping.cores[:2]
    population = core.parts[0].population

    def changed(**fields):
        return replace(mapping, **fields)

    def with_first(**fields):
        return changed(cores=(replace(core, **fields), *mapping.cores[1:]))

    assert any(
        "hidden1 neuron 42: on no core" in line for line in recount(with_first(parts=(Part(population, 0, 42),)))
    )
    assert any("on 2 cores" in line for line in recount(with_first(parts=(Part(population, 0, 44),))))
    assert any("2 cores there" in line for line in recount(with_first(number=other.number)))
    small = LOIHI2.model_copy(update={"synaptic_words": 8623})
    assert sum("synaptic_words 8,624, 8,623 fit" in line for line in recount(changed(chip=small))) == 3
    tight = LOIHI2.table.model_copy(update={"total": 9494})  # 784 + 1 + 43 + 8,624 + 43 entries; 42 neurons take 9,493
    few = recount(changed(chip=LOIHI2.model_copy(update={"table": tight})))
    assert sum("9,495 entries of all kinds, 9,494 fit" in line for line in few) == len(few) == 2
    assert any("a chip has 4 cores" in line for line in recount(changed(chip=LOIHI2.model_copy(update={"cores": 4}))))


def cores_by_search(axons: int, neurons: int, plastic: bool) -> int:
    """The fewest cores of one dense layer: every number is tried, each core's rows counted in floats."""
    for cores in range(1, neurons + 1):
        most = -(-neurons // cores)
        bits = (15 * most + 36) * (2.1 if plastic else 1)
        words = axons * int(np.ceil(round(bits / 64, 6)))
        if words <= 12000 and most <= 4095 and axons + 1 + words + 2 * most <= 20000:
            return cores
    raise AssertionError("does not fit")


@settings(max_examples=80)
@given(st.integers(1, 4000), st.integers(1, 5000), st.booleans())
def test_no_fewer_cores_hold_a_layer(axons, neurons, plastic):
    layer = Population("hidden1", "hidden1", neurons, (Rows("input", axons, plastic=plastic),))
    assert len(place((layer,), "loihi2", LOIHI2).cores) == cores_by_search(axons, neurons, plastic)


def test_small_layers_share_a_core_only_when_packed_and_up_to_the_chips_neuron_groups(dense_chain):
    chain = dense_chain((20,) * 11)
    assert len(place(chain, "loihi2", LOIHI2).cores) == 10
    packed = place(chain, "loihi2", LOIHI2, pack=True)
    assert sorted(len(core.parts) for core in packed.cores) == [2, 8]
    assert recount(packed) == []
    assert [packed.neuron(0, 0, 25)] == [("hidden2", "hidden2", 5)]


def test_a_layer_starts_on_a_fresh_chip_where_that_saves_traffic_and_costs_no_chip():
    """5 + 6 + 2 cores on chips of eight: one after the other, b would lie on both, and spike from one to the other."""
    chip = LOIHI2.model_copy(update={"cores": 8})
    layers = (  # rows of 9,000 axons: one neuron a core
        Population("a", "a", 5, (Rows("input", 9000),)),
        Population("b", "b", 6, (Rows("a", 9000),)),
        Population("c", "c", 2, (Rows("b", 9000),)),
    )
    mapping = place(layers, "loihi2", chip)
    assert mapping.chips == 2
    assert {core.chip for core in mapping.cores_of("b")} == {1}
    assert mapping.crossings == 5  # each neuron of a, once


CONVOLUTIONS = (
    Conv((1, 9, 7), 10, (3, 3), 2, 1, 1),
    Conv((6, 5, 5), 12, (3, 2), 1, 0, 3),
    Conv((4, 6, 6), 8, (3, 3), 1, 1, 2),
)


@pytest.mark.parametrize("conv", CONVOLUTIONS)
@pytest.mark.parametrize("limit", [{}, {"neurons": 20}, {"synaptic_words": 3}, {"axons_out": 7}])
def test_convolutions_on_cores_keep_the_limits_in_the_second_count(conv, limit):
    chip = LOIHI2.model_copy(update=limit)
    layer = Population("hidden1", "hidden1", conv.neurons, (Kernels("input", conv),))
    mapping = place((layer,), "loihi2", chip)
    assert recount(mapping) == []
    assert (len(mapping.cores) > 1) == bool(limit)


@pytest.mark.parametrize("limit", [{}, {"neurons": 20}, {"synaptic_words": 900}, {"axons_in": 500}])
def test_fields_on_cores_keep_the_limits_in_the_second_count(limit):
    net, positive = learning_network(learning_layer((60, 788))), np.arange(60) < 30
    layer = replace(net.layers[0], positive=positive, mask=fields.mask((28, 28, 1), 4, positive, (9, 14)))
    own, *rest = populations(replace(net, layers=(layer,)))
    mapping = place((own, *rest), "loihi2", LOIHI2.model_copy(update=limit))
    assert recount(mapping) == []
    assert (len(mapping.cores_of(own.name)) > 1) == bool(limit)
    assert own.plastic


def test_library_neurons_with_fields_take_axons_for_what_they_see_and_keep_the_limits_in_the_second_count():
    layer = learning_layer((60, 884))
    seen = fields.mask((28, 28, 1), 100, layer.positive, (14,))
    dense, sparse = (populations(library_network(replace(layer, mask=mask), 8)) for mask in (None, seen))
    assert sparse[0].plastic
    assert sparse[0].taken(0, 1, LOIHI2)[0] == dense[0].taken(0, 1, LOIHI2)[0] - 784 + 196
    assert [population.neurons for population in sparse] == [population.neurons for population in dense]
    mappings = [place(found, "loihi2", LOIHI2) for found in (dense, sparse)]
    assert recount(mappings[1]) == []
    words = [sum(core.fill.synaptic_words for core in mapping.cores) for mapping in mappings]
    assert words[1] < 0.7 * words[0]


@pytest.mark.parametrize("limit", [{}, {"neurons": 20}, {"synaptic_words": 70}, {"axons_in": 60}, {"axons_out": 130}])
def test_neurons_fed_one_to_one_keep_the_limits_in_the_second_count(limit):
    """Each takes an axon and a word for its own input alone, and its spike goes to one core of those it feeds."""
    first = Population("a", "a", 150, (Rows("input", 5),))
    chain = (
        first,
        Population("b", "b", 150, (OneToOne("a"),)),
        Population("c", "c", 150, (OneToOne("b"), Rows("a", 1))),
    )
    mapping = place(chain, "loihi2", LOIHI2.model_copy(update=limit))
    assert recount(mapping) == []
    cores = mapping.cores_of("b")
    assert (len(cores) > 1) == bool(limit)
    assert sum(core.fill.axons_in for core in cores) == sum(core.fill.synaptic_words for core in cores) == 150
    assert sum(core.fill.axons_out for core in cores) == 150
    assert sum(core.fill.axons_out for core in mapping.cores_of("a")) == 150 * (1 + len(mapping.cores_of("c")))
    more = replace(cores[0], fill=replace(cores[0].fill, axons_in=cores[0].fill.axons_in - 1))
    wrong = replace(mapping, cores=tuple(more if core is cores[0] else core for core in mapping.cores))
    assert ["the mapper says" in line for line in recount(wrong)] == [True]


def test_fields_take_the_words_of_their_synapses_and_axons_for_what_their_neurons_see():
    layer = learning_layer((500, 884))
    sparse = replace(layer, mask=fields.mask((28, 28, 1), 100, layer.positive, (14,)))
    dense, less = (populations(learning_network(one, classes=10, each=10))[0] for one in (layer, sparse))
    cores = [len(place((one,), "loihi2", LOIHI2).cores) for one in (dense, less)]
    assert less.taken(0, 1, LOIHI2) == (
        196 + 100 + 3,
        2 * (196 + 100) + 3,
    )  # plastic rows of 2.1 (15 + 36) bits, 2 words
    assert less.words(1, LOIHI2) <= less.taken(0, 1, LOIHI2)[1]
    assert cores[1] < cores[0] / 2


def test_a_kernel_takes_the_words_that_intels_compiler_prints_however_many_neurons_share_it():
    """54 words of yolo_kp's 3 x 3 kernels, PRINTED[1]: 432 weights, here 3 channels below and 16 channels."""
    conv = Conv((3, 16, 14), 16, (3, 3), 1, 1, 1)
    assert conv.neurons == 3584
    assert Kernels("input", conv).taken(0, 3584, LOIHI2) == (2, 54)
    assert Kernels("input", conv).taken(0, 1, LOIHI2) == (2, 4)  # 27 weights
    assert Kernels("input", conv).taken(223, 225, LOIHI2) == (2, 7)  # two channels


def test_learning_with_library_neurons_takes_4_n_and_4_k_further_neurons():
    n, units = 20, 8
    net = library_network(learning_layer((n, 30)), units)
    found = populations(net)
    assert sum(population.neurons for population in found) == n + 4 * n + 4 * units
    assert [population.plastic for population in found] == [True] + [False] * 5
    assert recount(place(found, "loihi2", LOIHI2)) == []


def test_a_neuron_that_fits_no_core_is_refused_by_name(dense_chain):
    with pytest.raises(CompileError, match=r"hidden1: one neuron with 12,001 axons takes 12,001 words"):
        place(dense_chain((12001, 3)), "loihi2", LOIHI2)
