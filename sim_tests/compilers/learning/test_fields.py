"""Receptive fields: where each neuron's patch lies, and how a network that has them is compiled, or refused."""

from dataclasses import replace

import numpy as np
import pytest

from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import CompileError
from ff2loihi.compilers.inference.quantize import Calibration
from ff2loihi.compilers.ir import fields
from ff2loihi.compilers.learning.fit import describe
from ff2loihi.compilers.learning.rule import LearningOptions
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train

HALVES = np.arange(300) < 150
MNIST, COLOUR = (28, 28, 1), (12, 10, 3)


@pytest.mark.parametrize(("shape", "sizes"), [(MNIST, (14,)), (MNIST, (28,)), (COLOUR, (5,)), (MNIST, (10, 16))])
def test_each_neuron_sees_a_square_of_the_image_in_all_colours_and_every_label(shape, sizes):
    mask = fields.mask(shape, 7, HALVES, sizes)
    assert mask[:, -7:].all()
    for neuron, row in enumerate(mask[:, :-7]):
        seen = row.reshape(shape)
        assert (seen == seen[:, :, :1]).all()
        rows, columns = np.flatnonzero(seen.any((1, 2))), np.flatnonzero(seen.any((0, 2)))
        size = sizes[neuron % 150 % len(sizes)]
        assert seen.sum() == size * size * shape[2]
        assert len(rows) == len(columns) == size == np.ptp(rows) + 1 == np.ptp(columns) + 1


def test_both_polarities_have_the_same_places_which_fill_the_image_evenly():
    mask = fields.mask(MNIST, 0, HALVES, (14,))
    np.testing.assert_array_equal(mask[:150], mask[150:])
    corners = mask[:150].argmax(axis=1)
    rows, columns = corners // 28, corners % 28
    for places in (rows, columns):  # 15 each, for 150 neurons
        counts = np.bincount(places, minlength=15)
        assert len(counts) == 15
        assert counts.min() >= 7
        assert counts.max() <= 12
    quarters = np.bincount(rows // 8 * 2 + columns // 8)
    assert quarters.max() - quarters.min() <= 12  # 8 x 8, 8 x 7, 7 x 8 and 7 x 7 of 15 x 15 places
    assert (np.diff(rows) >= 0).all()


def test_one_polarity_alone_has_the_places_of_all_neurons():
    mask = fields.mask(MNIST, 3, np.ones(40, bool), (9,))
    assert len(np.unique(mask, axis=0)) == 40


@pytest.mark.parametrize(
    ("sizes", "words"),
    [((29,), "1..28"), ((0,), "1..28"), ((3, 4, 5), "K,L"), (("3",), "K,L"), ((True,), "K,L"), ("14", "K,L")],
)
def test_sizes_that_have_no_meaning_are_refused(sizes, words):
    with pytest.raises(CompileError, match=words):
        fields.mask(MNIST, 3, HALVES, sizes)


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", "train")


@pytest.fixture(scope="module")
def made(digits, tmp_path_factory):
    """made(epochs, field) -> the checkpoint of ffa-symmetric, 40 neurons."""
    folder = tmp_path_factory.mktemp("made")

    def make(epochs: int = 0, field: tuple[int, ...] = ()):
        path = folder / f"{epochs}-{field}.pt"
        if not path.exists():
            train("ffa-symmetric", digits, widths=(40,), epochs=epochs, field=field).save(path)
        return pipeline.load_checkpoint(path)

    return make


@pytest.fixture(scope="module")
def compiled(digits):
    """compiled(checkpoint, ...) -> the learning network, with those options."""

    def make(checkpoint, shape: tuple[int, int, int] | None = (8, 8, 1), **options):
        images = Calibration(digits.images[:300], digits.labels[:300], "digits", shape=shape)
        return pipeline.compile_learning(checkpoint, images, LearningOptions(**options))

    return make


@pytest.mark.parametrize("epochs", [0, 2])
def test_training_leaves_what_a_neuron_does_not_see_at_0_and_the_rule_keeps_it_so(made, compiled, epochs):
    checkpoint = made(epochs, (4,))
    weight = checkpoint.tensors["layers.0.weight"]
    program = compiled(checkpoint)
    layer = program.network.layers[0]
    np.testing.assert_array_equal(layer.mask, fields.mask((8, 8, 1), 100, layer.positive, (4,)))
    np.testing.assert_array_equal(weight != 0, layer.mask)
    assert not layer.weight[~layer.mask].any()
    assert layer.synapses == 40 * (16 + 100)
    assert program.provenance["options"]["field"] == [4]
    assert "a neuron sees 16 of 64 pixels" in describe(program.network)[0][2]


def test_an_untrained_network_gets_its_fields_as_it_is_compiled_with_weights_as_large(made, compiled):
    cut, dense = (compiled(made(), field=field).network.layers[0] for field in ((4,), ()))
    assert dense.mask is None
    assert not cut.weight[~cut.mask].any()
    assert cut.existing.std() == pytest.approx(dense.weight.std(), rel=0.02)
    two = compiled(made(), field=(3, 5)).network.layers[0]
    assert np.unique(two.mask[:, :64].sum(axis=1)).tolist() == [9, 25]


def test_a_learning_network_without_fields_says_nothing_of_them(made, compiled):
    program = compiled(made())
    assert "field" not in program.provenance["options"]
    assert describe(program.network)[0][0] == "neuron"


@pytest.mark.parametrize(
    ("epochs", "field", "options", "words"),
    [
        (2, (), {"field": (4,)}, "trained with other synapses. Use ff2loihi train --field 4"),
        (0, (4,), {"field": (3, 5)}, "made with train --field 4. Leave --field out"),
        (0, (), {"field": (9,)}, "1..8, the image's shorter side"),
        (0, (), {"field": (4,), "shape": None}, "an image of known shape"),
    ],
)
def test_fields_that_a_network_cannot_have_are_refused(made, compiled, epochs, field, options, words):
    with pytest.raises(CompileError, match=words.replace(".", "[.]")):
        compiled(made(epochs, field), **options)


@pytest.mark.parametrize("absent", [None, []])
def test_a_checkpoint_that_says_it_has_no_fields_gets_those_that_are_asked_for(made, compiled, absent):
    checkpoint = made()
    told = replace(checkpoint, training={**checkpoint.training, "field": absent})
    assert compiled(told).network.layers[0].mask is None
    mask = compiled(told, field=(4,)).network.layers[0].mask
    np.testing.assert_array_equal(mask, compiled(checkpoint, field=(4,)).network.layers[0].mask)
    with pytest.raises(CompileError, match="--field must be K"):
        compiled(replace(checkpoint, training={**checkpoint.training, "field": ["4"]}), field=(4,))


@pytest.mark.parametrize("where", ["trained", "compiled"])
def test_library_neurons_have_fields_whose_synapses_all_begin_at_another_weight_than_0(made, compiled, where):
    """Lava's LearningSparse keeps no synapse of weight 0."""
    checkpoint, options = (made(0, (4,)), {}) if where == "trained" else (made(), {"field": (4,)})
    library, ours = (compiled(checkpoint, library=library, **options).network.layers[0] for library in (True, False))
    np.testing.assert_array_equal(library.mask, fields.mask((8, 8, 1), 100, library.positive, (4,)))
    np.testing.assert_array_equal(library.weight != 0, library.mask)
    changed = library.weight != ours.weight
    assert changed.any()
    assert (library.weight[changed] == 2).all()
    assert not ours.weight[changed].any()
