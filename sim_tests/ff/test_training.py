"""The recipes learn, repeat themselves, and write what the compiler reads."""

import errno
import os

import numpy as np
import pytest
import torch

from ff2loihi.compilers import pipeline
from ff2loihi.compilers.errors import CheckpointError, DataError
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.data.datasets import Dataset, load_data
from ff2loihi.ff.descent import Training, descend
from ff2loihi.ff.recipes import RECIPES, train
from ff2loihi.ff.recipes.pairs import PAIRS
from ff2loihi.ff.train import evaluate, tensor_of


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", "train"), load_data("digits", "test")


REACHED = {  # test accuracy of narrow nets after a few seconds, at least
    **{name: 0.9 for name in PAIRS},
    "hinton-unsupervised": 0.8,
    "rbm": 0.7,
    "random-features": 0.85,
    **{name: 0.85 for name in RECIPES if name.startswith("tosato")},
}
EPOCHS = {
    "ffa-sigmoid": 15,
    "ffa-symmetric": 15,
    "random-features": 20,
    "rbm": 20,
    "hinton-unsupervised": 8,
    "ff-hinton-jittered": 60,
}


def depth(name):
    widths = getattr(RECIPES[name], "widths", None)
    return min(2, len(widths)) if isinstance(widths, tuple) else 2


@pytest.mark.parametrize("name", REACHED)
def test_a_recipe_learns_digits(digits, name):
    trained = train(name, digits[0], epochs=EPOCHS.get(name, 8), widths=(100, 100)[: depth(name)])
    assert evaluate(trained, digits[1]) > REACHED[name]


COMPILED = [name for name in REACHED if name != "rbm"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [*((name, {}) for name in COMPILED), ("ff-mlp", {"bias": True}), ("ff-mlp", {"head": True})],
)
def test_the_compiler_reads_the_float_network_that_was_trained(digits, tmp_path, name, settings):
    trained = train(name, digits[0], epochs=1, widths=(40, 30), **settings)
    trained.save(tmp_path / "m.pt")
    read = network.build(pipeline.load_checkpoint(tmp_path / "m.pt"))
    pixels = digits[1].images[:50]
    expected = trained.scores(tensor_of(pixels)).detach().numpy()
    got = readout.float_scores(read, float_forward.all_labels(read, pixels))
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)  # float32 sums in another order


def test_the_sigmoid_units_of_an_rbm_are_refused_by_name(digits, tmp_path):
    train("rbm", digits[0], epochs=1, widths=(10,)).save(tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="activation 'sigmoid' is not supported, only relu"):
        network.build(pipeline.load_checkpoint(tmp_path / "m.pt"))


def tensors(name, digits, **settings):
    return train(name, digits[0], epochs=1, widths=(20, 20), **settings).checkpoint()["tensors"]


def test_the_same_seed_gives_the_same_network_and_another_seed_another(digits):
    first, second, other = (tensors("ff-mlp", digits, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_no_epochs_give_the_untrained_network(digits):
    few = load_data("digits", "train", limit=10)
    plain = train("ffa-symmetric", digits[0], epochs=0)
    assert torch.equal(plain.layers[0].weight, train("ffa-symmetric", few, epochs=0).layers[0].weight)


def test_a_layer_learns_from_its_own_loss_alone(digits):
    net = train("ff-mlp", digits[0], epochs=0, widths=(20, 20))
    drive = net.image_drive(tensor_of(digits[0].images[:4])) + net.label_drive(net.embedding.codes[:4])
    net.activities(drive)[1].sum().backward()
    assert net.layers[0].weight.grad is None
    assert net.layers[1].weight.grad.abs().sum() > 0


def test_a_full_disk_leaves_no_checkpoint_and_no_temporary_file(digits, tmp_path, monkeypatch):
    net = train("ffa-symmetric", digits[0], epochs=0)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        net.save(tmp_path / "m.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_named(digits, tmp_path):
    with pytest.raises(CheckpointError, match="absent"):
        train("ffa-symmetric", digits[0], epochs=0).save(tmp_path / "absent" / "m.pt")


def test_fit_and_validation_are_the_training_images(digits):
    fit, held = load_data("digits", "fit"), load_data("digits", "validation")
    assert np.array_equal(np.concatenate([fit.images, held.images]), digits[0].images)
    assert len(digits[0].labels) + len(digits[1].labels) == 1797


def test_mnist_is_complete(mnist_root):
    data = load_data("mnist", "train", root=mnist_root)
    assert data.images.shape == (60000, 784)
    assert data.images.dtype == np.uint8
    assert load_data("mnist", "test", root=mnist_root, limit=7).labels.shape == (7,)


@pytest.mark.parametrize(
    ("name", "split", "words"),
    [("cifar", "test", "digits, mnist"), ("digits", "dev", "train, test"), ("mnist", "test", "FF2LOIHI_DATA")],
)
def test_data_that_is_not_there_says_what_to_do(tmp_path, name, split, words):
    with pytest.raises(DataError, match=words):
        load_data(name, split, root=tmp_path)


def test_truncated_data_is_refused(tmp_path, mnist_root):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (mnist_root / "MNIST" / "raw").glob("t10k*"):
        (raw / file.name).write_bytes(file.read_bytes()[:5000])
    with pytest.raises(DataError, match="damaged"):
        load_data("mnist", "test", root=tmp_path)


def test_training_jitters_each_image_anew_by_the_asked_pixels_at_most():
    images = np.zeros((400, 8, 8, 2), np.uint8)
    images[:, 4, 4] = 200, 100
    data = Dataset("dots", "train", images.reshape(400, -1), np.zeros(400, np.int64), 10, channels=2)
    weight, seen = torch.nn.Parameter(torch.zeros(1)), []

    def loss(batch, labels, generator):
        seen.append((batch * 255).round().to(torch.uint8).reshape(-1, 8, 8, 2))
        return weight.sum()

    descend([weight], loss, data, Training(epochs=2, batch=100, rate=0.1, jitter=2), seed=0)
    moved = torch.cat(seen)
    assert len(moved) == 800
    assert torch.equal(moved.sum((1, 2)), torch.tensor([[200, 100]]).expand(800, 2))  # both channels, together
    places = moved[..., 0].nonzero()[:, 1:].unique(dim=0)
    assert torch.equal(places, torch.cartesian_prod(torch.arange(2, 7), torch.arange(2, 7)))
    assert len(seen[0][..., 0].nonzero()[:, 1:].unique(dim=0)) > 10  # not one move for a batch


@pytest.mark.parametrize(("width", "threads"), [(20, 1), (1000, 2)])
def test_training_takes_the_threads_that_its_work_is_worth(width, threads):
    data, counts = Dataset("dots", "train", np.zeros((400, 1000), np.uint8), np.zeros(400, np.int64), 10), []
    weight = torch.nn.Parameter(torch.zeros(1000, width))

    def loss(batch, labels, generator):
        counts.append(torch.get_num_threads())
        return (batch @ weight).sum()

    before = torch.get_num_threads()
    torch.set_num_threads(8)
    try:
        descend([weight], loss, data, Training(epochs=1, batch=200, rate=0.1), seed=0)
        assert torch.get_num_threads() == 8
    finally:
        torch.set_num_threads(before)
    assert counts == [threads] * 2
