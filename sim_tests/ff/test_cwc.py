"""CwC-FF: it learns, each layer by itself, and its checkpoint means what it computes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ff2loihi.compilers.errors import BackendError, DataError, FF2LoihiError
from ff2loihi.compilers.frontend import network
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint
from ff2loihi.compilers.inference import float_forward, readout
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import cwc, train
from ff2loihi.ff.recipes.cwc import image_shape
from ff2loihi.ff.train import evaluate, tensor_of


@pytest.fixture(scope="module")
def net():
    return train("cwc-ff", load_data("digits", "fit"), epochs=10, seed=1)


@pytest.fixture(scope="module")
def images():
    return load_data("digits", "validation", limit=50)


def test_ten_epochs_of_digits_are_learned_without_a_label_in_the_input(net):
    assert evaluate(net, load_data("digits", "validation")) > 0.9


def test_a_layer_takes_no_gradient_from_the_layers_above(net, images):
    for index, part in enumerate(net.convolutions):
        net.zero_grad(set_to_none=True)
        net.goodness(net.activities(tensor_of(images.images))[index]).sum().backward()
        touched = [other.weight.grad is not None for other in net.convolutions]
        assert touched == [other is part for other in net.convolutions]


def test_the_goodness_of_a_class_is_the_mean_square_of_its_channels(net, images):
    h = net.activities(tensor_of(images.images))[2].detach()
    assert h.shape[1:] == (80, 2, 2)
    found = net.goodness(h).numpy()
    for image in (0, 7):
        for label in range(10):
            assert found[image, label] == pytest.approx(
                np.mean(h[image, 8 * label : 8 * label + 8].numpy() ** 2), rel=1e-5
            )


def test_the_checkpoint_gives_the_same_answers_in_numpy(net, images, tmp_path):
    net.save(tmp_path / "m.pt")
    built = network.build(load_checkpoint(tmp_path / "m.pt"))
    scores = readout.float_scores(built, float_forward.all_labels(built, images.images))
    wanted = net.scores(tensor_of(images.images)).numpy()
    assert np.allclose(scores, wanted, rtol=1e-3, atol=1e-4 * wanted.max())
    assert all(np.abs(layer.weight.mean((1, 2, 3))).max() < 1e-6 for layer in built.layers)


def test_the_same_seed_gives_the_same_weights_and_no_epoch_the_untrained_net():
    few = load_data("digits", "fit", limit=300)
    first, second, fresh = (train("cwc-ff", few, epochs=n, seed=3).checkpoint()["tensors"] for n in (1, 1, 0))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any(torch.equal(first[name], fresh[name]) for name in first)


def test_what_does_not_fit_is_refused_in_one_line():
    few = load_data("digits", "fit", limit=60)
    assert image_shape(few) == (1, 8, 8)
    for wrong in (replace(few, images=few.images[:, :63]), replace(few, channels=3)):
        with pytest.raises(DataError, match="digits: cwc-ff takes square grey images"):
            train("cwc-ff", wrong, epochs=0)
    with pytest.raises(FF2LoihiError, match="4 multiples of 10, got 20-40-85-160"):
        train("cwc-ff", few, widths=(20, 40, 85, 160), epochs=0)
    with pytest.raises(FF2LoihiError, match="--head: no meaning with --recipe cwc-ff"):
        train("cwc-ff", few, epochs=0, head=True)


@pytest.fixture(scope="module")
def pooled():
    return train("cwc-ff-bn", load_data("digits", "fit"), epochs=10, seed=1, widths=(10, 20, 20, 40))


def test_with_batch_norm_and_pooling_ten_epochs_of_digits_are_learned(pooled):
    assert evaluate(pooled, load_data("digits", "validation")) > 0.9


def test_the_batch_norm_of_a_layer_is_that_of_all_images_it_saw(pooled, images):
    """The network that comes out scores one image as it scores many: no statistics of a batch."""
    h = tensor_of(images.images)
    assert torch.allclose(pooled.scores(h[:1]), pooled.scores(h)[:1], rtol=1e-4)
    first, conv, norm = pooled.activities(h)[0], pooled.convolutions[0], pooled.norms[0]
    a = torch.nn.functional.conv2d(h.view(-1, 1, 8, 8), conv.weight, None, 1, 2)
    a = (a - norm.running_mean.view(-1, 1, 1)) / (norm.running_var.view(-1, 1, 1) + norm.eps).sqrt()
    a = (a * norm.weight.view(-1, 1, 1) + norm.bias.view(-1, 1, 1)).relu()
    wanted = (a[..., 0::2, 0::2] + a[..., 1::2, 0::2] + a[..., 0::2, 1::2] + a[..., 1::2, 1::2]) / 4
    assert first.shape == wanted.shape == (50, 10, 4, 4)
    assert torch.allclose(first, wanted, atol=1e-5)


def test_images_of_garments_are_mirrored_half_of_the_time():
    images = torch.arange(2000.0).view(1000, 1, 1, 2)
    found = cwc._half_mirrored(images, torch.Generator().manual_seed(0))
    turned = (found != images).all((1, 2, 3))
    assert 400 < turned.sum() < 600
    assert torch.equal(found[turned], images[turned].flip(3))
    assert torch.equal(found[~turned], images[~turned])


def test_a_device_that_torch_does_not_see_is_refused(monkeypatch):
    few = load_data("digits", "fit", limit=60)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match="torch sees no CUDA device here. Use --device cpu"):
        train("cwc-ff-bn", few, epochs=0, device="cuda")
    with pytest.raises(FF2LoihiError, match="--device must be one of cpu, cuda, got 'tpu'"):
        train("cwc-ff-bn", few, epochs=0, device="tpu")


def test_a_device_means_nothing_to_other_recipes(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(FF2LoihiError, match="--device: no meaning with --recipe ff-mlp"):
        train("ff-mlp", load_data("digits", "fit", limit=60), epochs=0, device="cuda")
