"""Checkpoint files and small float networks for the compiler's tests."""

import numpy as np
import pytest
import torch
import yaml

from ff2loihi.compilers.populations import INPUT, Population, Rows
from sim_tests.factories import float_network


def plain_spec(**changes) -> dict:
    """Six pixels and a one-hot label of three classes, two layers of five and four neurons."""
    return {
        "pixels": 6,
        "label": {"kind": "append", "codes": "one_hot", "classes": 3},
        "layers": [{"weight": "a.weight", "bias": "a.bias"}, {"weight": "b.weight"}],
        "probability": {"kind": "sigmoid", "theta": 1.0},
    } | changes


def plain_tensors(**changes) -> dict:
    made = torch.Generator().manual_seed(1)
    tensors = {
        "a.weight": torch.randn(5, 9, generator=made),
        "a.bias": torch.randn(5, generator=made),
        "b.weight": torch.randn(4, 5, generator=made),
    }
    return tensors | changes


@pytest.fixture
def spec():
    return plain_spec


@pytest.fixture
def tensors():
    return plain_tensors


@pytest.fixture
def files(tmp_path):
    """files(content, spec) -> the paths of a .pt and, where a spec is given, of its spec.yaml."""

    def make(content=None, spec=None):
        model, about = tmp_path / "model.pt", tmp_path / "spec.yaml"
        torch.save(plain_tensors() if content is None else content, model)
        about.write_text(spec if isinstance(spec, str) else yaml.safe_dump(plain_spec() if spec is None else spec))
        return model, about

    return make


@pytest.fixture(scope="session")
def dense_chain():
    """dense_chain(widths) -> dense layers without a read-out on the chip: widths[0] inputs, then each layer's width."""

    def make(widths):
        names = [INPUT, *(f"hidden{index}" for index in range(1, len(widths)))]
        return tuple(
            Population(name, name, width, (Rows(below, inputs),))
            for name, width, below, inputs in zip(names[1:], widths[1:], names, widths, strict=False)
        )

    return make


@pytest.fixture(scope="session")
def float_net():
    """factories.float_network."""
    return float_network


@pytest.fixture(scope="session")
def images():
    """images(count, seed) -> (count, 12) uint8, black and white pixels among them."""

    def make(count=60, seed=0):
        rng = np.random.default_rng(seed)
        found = rng.integers(0, 256, (count, 12)).astype(np.uint8)
        found[rng.random(found.shape) < 0.2] = 0
        found[rng.random(found.shape) < 0.2] = 255
        return found

    return make
