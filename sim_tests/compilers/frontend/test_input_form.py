"""A net's own input: what it computes is what its users' code computes, folded and not, and what cannot be is refused.

The other road is torch code as people write it: standardise, write the label, normalise, multiply.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ff2loihi.compilers.errors import CheckpointError
from ff2loihi.compilers.frontend.checkpoint import load_checkpoint
from ff2loihi.compilers.frontend.network import build
from ff2loihi.compilers.inference import float_forward
from ff2loihi.compilers.inference.fold import fold

CLASSES, SIDE = 3, 4
ONE_HOT = torch.eye(CLASSES)
LABELS = {
    "appended": {"kind": "append"},
    "before": {"kind": "prepend"},
    "first pixels": {"kind": "overwrite"},
    "any pixels": {"kind": "overwrite", "pixels": [9, 2, 5]},
    "x.max()": {"kind": "overwrite", "value": "max"},
    "-1 and +1": {"kind": "append", "value": 1.0, "background": -1.0},
    "a value below the background": {"kind": "prepend", "value": -2.0, "background": 3.0},
}
INPUTS = [{}, {"mean": 0.13, "std": 0.31}, {"mean": 0.5, "std": 0.5, "norm": "l2"}, {"norm": "rms"}]


def as_people_write_it(pixels: torch.Tensor, label: int, entry: dict, about: dict) -> torch.Tensor:
    x = (pixels.double() / 255 - entry.get("mean", 0.0)) / entry.get("std", 1.0)
    white = (1 - entry.get("mean", 0.0)) / entry.get("std", 1.0)
    value, background = about.get("value", 1.0), about.get("background", 0.0)
    code = torch.full((len(x), CLASSES), float(background), dtype=x.dtype)
    code[:, label] = white if value == "max" else value
    if about["kind"] == "append":
        x = torch.cat([x, code], 1)
    elif about["kind"] == "prepend":
        x = torch.cat([code, x], 1)
    else:
        x[:, about.get("pixels", list(range(CLASSES)))] = code
    if entry.get("norm") == "l2":
        x = x / x.norm(dim=1, keepdim=True)
    if entry.get("norm") == "rms":
        x = x / x.pow(2).mean(1, keepdim=True).sqrt()
    return x


def loaded(tmp_path, files, tensors: dict, **parts):
    spec = {
        "pixels": SIDE**2, "layers": [{"weight": "w", "bias": "b"}], "probability": {"kind": "sigmoid", "theta": 1.0},
    }  # fmt: skip
    return build(load_checkpoint(*files(tensors, spec | parts)))


@pytest.mark.parametrize("entry", INPUTS, ids=str)
@pytest.mark.parametrize("about", LABELS.values(), ids=LABELS)
def test_the_first_layer_is_that_of_the_code_that_trained_it(files, tmp_path, entry, about):
    inputs = SIDE**2 + (CLASSES if about["kind"] != "overwrite" else 0)
    made = torch.Generator().manual_seed(0)
    w, b = torch.randn(5, inputs, generator=made), torch.randn(5, generator=made)
    net = loaded(tmp_path, files, {"w": w, "b": b}, input=entry, label={**about, "classes": CLASSES})
    pixels = torch.randint(0, 256, (20, SIDE**2), generator=made)
    found = float_forward.all_labels(net, pixels.numpy().astype(np.uint8))[0]
    wanted = [
        torch.relu(as_people_write_it(pixels, label, entry, about) @ w.double().T + b.double())
        for label in range(CLASSES)
    ]
    wanted = torch.stack(wanted, 1).numpy()
    assert (wanted > 0).mean() > 0.2
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert net.label.codes.min() >= 0
    assert net.label.codes.max() <= 1
    u = float_forward.inputs(net, pixels.numpy().astype(np.uint8), np.tile(net.label.codes[0], (20, 1)))
    folded = fold(net, u)
    assert folded.input is None
    if entry.get("norm", "none") == "none":
        kept = float_forward.all_labels(folded, pixels.numpy().astype(np.uint8))[0]
        np.testing.assert_allclose(kept, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("padding", "groups"), [(0, 1), (1, 1), (1, 2)])
@pytest.mark.parametrize("label", [{"kind": "none"}, {"kind": "overwrite", "value": "max"}], ids=["none", "overwrite"])
def test_a_convolution_sees_zeros_outside_a_standardised_image(files, tmp_path, padding, groups, label):
    made = torch.Generator().manual_seed(1)
    mean, std = ([0.2, 0.6], [0.3, 0.5]) if label["kind"] == "none" else (0.2, 0.3)
    w, b = torch.randn(6, 2 // groups, 3, 3, generator=made), torch.randn(6, generator=made)
    net = loaded(
        tmp_path, files, {"w": w, "b": b}, pixels=2 * SIDE**2, image=[2, SIDE, SIDE], input={"mean": mean, "std": std},
        label={**label, "classes": CLASSES},
        layers=[{"weight": "w", "bias": "b", "conv": {"padding": padding, "groups": groups}}],
        **({"readout": {"kind": "channels"}, "probability": {"kind": "contrast"}} if label["kind"] == "none" else {}),
    )  # fmt: skip
    pixels = torch.randint(0, 256, (7, 2 * SIDE**2), generator=made)
    m, s = (torch.tensor(part).double().reshape(-1, 1, 1) for part in (mean, std))
    image = (pixels.double().reshape(7, 2, SIDE, SIDE) / 255 - m) / s
    if label["kind"] == "overwrite":
        image = image.reshape(7, -1)
        image[:, :CLASSES] = ONE_HOT[1] * (1 - 0.2) / 0.3
        image = image.reshape(7, 2, SIDE, SIDE)
    wanted = torch.relu(F.conv2d(image, w.double(), b.double(), padding=padding, groups=groups)).reshape(7, -1)
    rows = pixels.numpy().astype(np.uint8)
    found = float_forward.all_labels(net, rows)[0][:, min(1, len(net.pass_labels) - 1)]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    kept = float_forward.all_labels(
        fold(net, float_forward.inputs(net, rows, np.tile(net.pass_labels[0], (7, 1)))), rows
    )
    np.testing.assert_allclose(kept[0][:, min(1, len(net.pass_labels) - 1)], wanted, rtol=1e-4, atol=1e-4)


def test_the_folded_norm_is_the_mean_over_the_images(files, tmp_path):
    made = torch.Generator().manual_seed(2)
    w, b = torch.randn(5, SIDE**2, generator=made), torch.randn(5, generator=made)
    net = loaded(
        tmp_path, files, {"w": w, "b": b}, input={"norm": "l2"}, label={"kind": "overwrite", "classes": CLASSES}
    )
    u = torch.rand(50, SIDE**2, generator=made)
    folded = fold(net, u.numpy())
    np.testing.assert_allclose(folded.layers[0].weight, w / u.norm(dim=1).mean(), rtol=1e-5)
    np.testing.assert_allclose(folded.layers[0].bias, b, rtol=1e-5)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"input": {"std": 0.0}}, "input.std: 0, at least"),
        ({"input": {"std": -1.0}}, "input.std: -1, at least"),
        ({"input": {"mean": 1e9}}, "input.mean: values up to 1e+09"),
        ({"input": {"mean": [0.1, 0.2]}}, "input.mean: 2 values for 1 channel, `image` is not given"),
        ({"input": {"mean": [0.1, 0.2]}, "image": [1, SIDE, SIDE]}, "2 values for 1 channels of `image`"),
        ({"input": {"mean": float("nan")}}, "input.mean"),
        ({"input": {"norm": "l3"}}, "input.norm"),
        ({"label": {"kind": "overwrite", "value": 1e9}}, "label: values up to 1e+09"),
        ({"label": {"kind": "overwrite", "value": "most"}}, "label.value"),
        ({"label": {"kind": "overwrite", "pixels": [0, 1]}}, "label.pixels: 2 pixels for 3 label inputs"),
        ({"label": {"kind": "overwrite", "pixels": [0, 1, 1]}}, "label.pixels: must be different numbers in 0..15"),
        ({"label": {"kind": "overwrite", "pixels": [0, 1, 16]}}, "label.pixels: must be different numbers in 0..15"),
        ({"label": {"kind": "append", "pixels": [0, 1, 2]}}, "label.pixels: label.kind append overwrites none"),
    ],
)  # fmt: skip
def test_an_input_that_cannot_be_is_refused_with_where_and_what(files, tmp_path, parts, words):
    parts = {"label": {"kind": "overwrite"}} | parts
    parts["label"] = {**parts["label"], "classes": CLASSES}
    with pytest.raises(CheckpointError) as caught:
        loaded(tmp_path, files, {"w": torch.ones(5, SIDE**2), "b": torch.ones(5)}, **parts)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_label_that_no_pixel_can_stand_for_is_refused_over_a_convolution(files, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"label: values 0..5 over the pixels of a convolution, whose own are 0..1"
    ):
        loaded(
            tmp_path, files, {"w": torch.ones(2, 1, 2, 2)}, image=[1, SIDE, SIDE],
            label={"kind": "overwrite", "value": 5.0, "classes": CLASSES}, layers=[{"weight": "w", "conv": {}}],
        )  # fmt: skip


@pytest.mark.parametrize(
    "label", [{"kind": "append"}, {"kind": "overwrite"}, {"kind": "overwrite", "pixels": [7, 1, 30]}]
)
def test_a_dense_net_on_colour_images_takes_them_channel_by_channel(files, tmp_path, label):
    """Images hold a pixel's channels beside each other; torch flattens (channels, height, width)."""
    made, shape = torch.Generator().manual_seed(4), (3, SIDE, SIDE)
    pixels, inputs = 3 * SIDE**2, 3 * SIDE**2 + (CLASSES if label["kind"] == "append" else 0)
    mean, std = [0.1, 0.4, 0.7], [0.5, 0.25, 0.3]
    w = torch.randn(5, inputs, generator=made)
    net = loaded(
        tmp_path, files, {"w": w}, pixels=pixels, image=list(shape), input={"mean": mean, "std": std, "norm": "rms"},
        label={**label, "classes": CLASSES}, layers=[{"weight": "w"}],
    )  # fmt: skip
    images = torch.randint(0, 256, (9, *shape), generator=made)
    m, s = (torch.tensor(part).double().reshape(-1, 1, 1) for part in (mean, std))
    x = ((images.double() / 255 - m) / s).reshape(9, -1)
    if label["kind"] == "append":
        x = torch.cat([x, ONE_HOT[2].expand(9, -1)], 1)
    else:
        x[:, label.get("pixels", [0, 1, 2])] = ONE_HOT[2].double()
    wanted = torch.relu(x / x.pow(2).mean(1, keepdim=True).sqrt() @ w.double().T)
    rows = images.permute(0, 2, 3, 1).reshape(9, -1).numpy().astype(np.uint8)
    assert (wanted > 0).any()
    np.testing.assert_allclose(float_forward.all_labels(net, rows)[0][:, 2], wanted, rtol=1e-4, atol=1e-4)
