"""Batch norm against torch's own in evaluation, at each of its places; where it has no exact form it is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint
from ff2loihi.compilers.frontend.network import build
from ff2loihi.compilers.inference import float_forward, readout

CLASSES, IMAGE = 3, (2, 4, 6)
HEAD = {"kind": "head", "layers": [1], "head": {"weights": ["h"], "bias": "hb", "activities": "raw"}}


def norm(channels: int, seed: int, **options) -> nn.Module:
    """A batch norm whose scales have both signs, after some training."""
    made = torch.Generator().manual_seed(seed)
    found = nn.BatchNorm1d(channels, **options).double().eval()
    found.running_mean.copy_(torch.randn(channels, generator=made))
    found.running_var.copy_(torch.rand(channels, generator=made) * 3)
    if found.affine:
        found.weight.data.copy_(torch.randn(channels, generator=made))
        found.bias.data.copy_(torch.randn(channels, generator=made))
    return found


def applied(one: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The norm of x (samples, channels, ...)."""
    return one(x.flatten(2) if x.ndim > 2 else x).reshape(x.shape)


def stored(**norms: nn.Module) -> dict:
    return {f"{name}.{key}": tensor for name, one in norms.items() for key, tensor in one.state_dict().items()}


def weights() -> dict:
    made = torch.Generator().manual_seed(1)
    sizes = {"a": (6, 1, 3, 3), "ab": (6,), "b": (9, 6, 2, 2), "c": (9, 48), "h": (3, 9), "hb": (3,)}
    return {name: torch.randn(size, generator=made) for name, size in sizes.items()}


def spec(*layers: dict, **changes) -> dict:
    return {
        "pixels": 48, "image": list(IMAGE), "label": {"kind": "none", "classes": CLASSES}, "layers": list(layers),
        "readout": {"kind": "channels", "layers": [len(layers) - 1]},
    } | changes  # fmt: skip


FIRST = {"weight": "a", "bias": "ab", "conv": {"padding": 1, "groups": 2}}
SECOND = {"weight": "b", "conv": {"padding": 1, "stride": 1}}


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 48)).astype(np.uint8)


def shown() -> torch.Tensor:
    return torch.from_numpy(images()).double().view(-1, *IMAGE) / 255


def first_sum(tensors: dict, x: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, tensors["a"].double(), tensors["ab"].double(), padding=1, groups=2)


def activities(files, content: dict, about: dict) -> list[np.ndarray]:
    return [h[:, 0] for h in float_forward.all_labels(build(load_checkpoint(*files(content, about))), images())]


def close(found: np.ndarray, wanted: torch.Tensor) -> None:
    assert (wanted > 0).double().mean() > 0.1
    np.testing.assert_allclose(found, wanted.flatten(1).detach().numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"eps": 0.1}], ids=["affine", "bare", "eps"])
def test_before_the_relu_it_is_torchs_own(files, options):
    tensors, one = weights(), norm(6, 2, **options)
    layer = {**FIRST, "batch_norm": "bn", "batch_norm_eps": options.get("eps", 1e-5)}
    [found] = activities(files, tensors | stored(bn=one), spec(layer))
    close(found, applied(one, first_sum(tensors, shown())).relu())


def test_over_the_input_of_a_padded_convolution_and_of_a_dense_layer_it_is_torchs_own(files):
    tensors, (one, two, three) = weights(), (norm(2, 3), norm(6, 4), norm(9, 5))
    dense = torch.randn(9, 9 * 5 * 7, generator=torch.Generator().manual_seed(2))
    layers = [
        {**layer, "batch_norm": name, "batch_norm_place": "input"}
        for layer, name in ((FIRST, "x"), (SECOND, "y"), ({"weight": "dense"}, "z"))
    ]
    content = tensors | {"dense": dense} | stored(x=one, y=two, z=three)
    found = activities(files, content, spec(*layers))
    first = first_sum(tensors, applied(one, shown())).relu()
    second = F.conv2d(applied(two, first), tensors["b"].double(), padding=1).relu()
    third = (applied(three, second).flatten(1) @ dense.double().T).relu()
    for layer, wanted in zip(found, (first, second, third), strict=True):
        close(layer, wanted)


def test_behind_the_relu_it_is_folded_into_the_layer_above(files):
    tensors, one = weights(), norm(6, 6)
    layer = {**FIRST, "batch_norm": "bn", "batch_norm_place": "after_relu"}
    first, second = activities(files, tensors | stored(bn=one), spec(layer, SECOND))
    plain = first_sum(tensors, shown()).relu()
    close(first, plain)
    close(second, F.conv2d(applied(one, plain), tensors["b"].double(), padding=1).relu())


def test_behind_the_last_relu_it_is_folded_into_a_raw_head(files):
    tensors, one = weights(), norm(9, 7)
    about = spec(
        {"weight": "c"}, {"weight": "d", "batch_norm": "bn", "batch_norm_place": "after_relu"}, readout=HEAD, image=None
    )
    tensors["d"] = torch.randn(9, 9, generator=torch.Generator().manual_seed(3))
    net = build(load_checkpoint(*files(tensors | stored(bn=one), about)))
    found = readout.float_scores(net, float_forward.all_labels(net, images()))
    hidden = (shown().flatten(1) @ tensors["c"].double().T).relu()
    hidden = applied(one, (hidden @ tensors["d"].double().T).relu())
    wanted = hidden @ tensors["h"].double().T + tensors["hb"].double()
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-4, atol=1e-4)


BEHIND = {"batch_norm": "bn", "batch_norm_place": "after_relu"}


@pytest.mark.parametrize(
    ("about", "tensors", "words"),
    [
        (spec({**FIRST, **BEHIND}), {}, "hidden1: the goodness reads what batch norm behind the ReLU shifts"),
        (spec({**FIRST, **BEHIND}, SECOND, normalization="rms"), {},
         "hidden1: normalization rms divides what batch norm behind the ReLU shifts"),
        (spec({**FIRST, "batch_norm": "bm"}), {}, "no tensor 'bm.running_mean', 'bm.running_var'"),
        (spec({**FIRST, "batch_norm": "bn"}), {"bn.weight": torch.ones(5)},
         "hidden1: 'bn.weight' has shape (5,), (6,) is wanted"),
        (spec({**FIRST, "batch_norm": "bn", "batch_norm_place": "input"}), {},
         "hidden1: 'bn.running_mean' has shape (6,), (2,) is wanted"),
        (spec({**FIRST, "batch_norm": "bn"}), {"bn.running_var": -torch.ones(6)},
         "hidden1: 'bn.running_var' holds -1: no variance is below 0"),
        (spec({**FIRST, "batch_norm": "bn"}), {"bn.weight": torch.zeros(6)}, "hidden1: all weights are zero"),
        (spec({**FIRST, "batch_norm": "bn"}), {"bn.bias": torch.full((6,), 1e7)}, "hidden1: biases up to 1e+07"),
        (spec({**FIRST, **BEHIND}, SECOND), {"bn.weight": torch.full((6,), 1e8)}, "hidden2: weights up to"),
        (spec({**FIRST, "batch_norm": "bn", "batch_norm_eps": 0}), {}, "batch_norm_eps"),
    ],
)  # fmt: skip
def test_what_has_no_exact_form_or_does_not_fit_is_refused_by_name(files, about, tensors, words):
    with pytest.raises(CheckpointError) as caught:
        build(load_checkpoint(*files(weights() | stored(bn=norm(6, 8)) | tensors, about)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
