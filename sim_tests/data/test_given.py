"""What a Python program holds, arrays, a torch Dataset, a DataLoader, is the same set as the file that holds them."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, transforms

import ff2loihi
from ff2loihi.compilers.errors import DataError, FF2LoihiError
from ff2loihi.data import given
from ff2loihi.data.datasets import load_data
from ff2loihi.ff.recipes import train


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", "train", limit=200), load_data("digits", "test", limit=60)


def forms(data) -> dict:
    """The same images and labels as people hold them."""
    images, labels = np.array(data.images).reshape(-1, 8, 8), np.array(data.labels)
    tensors = torch.from_numpy(images)[:, None] / 255, torch.from_numpy(labels)
    return {
        "a Dataset of ours": data,
        "arrays": (images, labels),
        "rows": [data.images, data.labels.astype(np.uint8)],
        "floats": (images.astype(np.float32) / 255, labels),
        "channels before": (images[:, None], labels[:, None]),
        "tensors": tensors,
        "tensors that ask for gradients": (tensors[0].clone().requires_grad_(), tensors[1]),
        "TensorDataset": TensorDataset(*tensors),
        "Subset": torch.utils.data.Subset(TensorDataset(*tensors), range(len(labels))),
        "pairs": list(zip(images, labels.tolist(), strict=True)),
        "DataLoader": DataLoader(TensorDataset(*tensors), batch_size=7),
        "DataLoader without batches": DataLoader(TensorDataset(*tensors), batch_size=None),
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory, digits):
    path = tmp_path_factory.mktemp("model") / "m.pt"
    train("ffa-symmetric", load_data("digits", "train"), epochs=3, widths=(30,)).save(path)
    return path


def test_every_form_is_the_same_data_set(digits):
    data = digits[0]
    for name, form in forms(data).items():
        if form is data:
            continue
        found = given.dataset(form, "train")
        np.testing.assert_array_equal(found.images, data.images, err_msg=name)
        np.testing.assert_array_equal(found.labels, data.labels, err_msg=name)
        assert (found.classes, found.channels, found.shape, found.labels.dtype) == (10, 1, (8, 8, 1), np.int64), name


@pytest.mark.parametrize("name", ["arrays", "TensorDataset", "DataLoader"])
def test_they_compile_run_learn_and_verify_as_the_named_set_does(model, digits, tmp_path, name):
    data, test = (forms(part)[name] for part in digits)
    wanted, program = ff2loihi.compile(model, digits[0]), ff2loihi.compile(model, data, check=test)
    np.testing.assert_array_equal(program.network.layers[0].weight, wanted.network.layers[0].weight)
    assert [layer.shift for layer in program.network.layers] == [layer.shift for layer in wanted.network.layers]
    assert "data" not in program.provenance["calibration"]
    report = ff2loihi.run(program, test)
    assert report.accuracy == ff2loihi.run(wanted, digits[1]).accuracy == program.provenance["test"]["accuracy"] > 0.5
    trace = ff2loihi.classify(program, forms(digits[1])["arrays"][0])
    np.testing.assert_array_equal(trace.predictions, ff2loihi.classify(wanted, digits[1]).predictions)
    assert ff2loihi.compare(model, program, test).stages[-1].accuracy == report.accuracy
    rule = ff2loihi.compile(model, data, ff2loihi.LearningOptions())
    learned = ff2loihi.learn(rule, data, ff2loihi.Schedule(epochs=1))
    assert (learned.network.layers[0].weight != rule.network.layers[0].weight).any()
    ff2loihi.save(learned, tmp_path / "m.ffl")
    assert ff2loihi.run(ff2loihi.load(tmp_path / "m.ffl"), test).samples == len(digits[1].labels)


def test_a_calibration_reads_as_many_samples_as_one_by_name(model, digits, monkeypatch):
    asked = []

    class Counted(torch.utils.data.Dataset):
        def __len__(self):
            return 10**9

        def __getitem__(self, index):
            asked.append(index)
            return digits[0].images[index % 200].reshape(8, 8), digits[0].labels[index % 200]

    monkeypatch.setattr("ff2loihi.compilers.pipeline.CALIBRATION_IMAGES", 150)
    assert ff2loihi.compile(model, Counted()).provenance["calibration"] == {"images": 150}
    assert len(asked) == 150


def test_a_data_set_of_torchvision_is_taken_as_it_is(mnist_root):
    plain = datasets.MNIST(str(mnist_root), train=False)
    tensors = datasets.MNIST(str(mnist_root), train=False, transform=transforms.ToTensor())
    wanted = load_data("mnist", "test", mnist_root, 40)
    for form in (plain, tensors, DataLoader(tensors, batch_size=16)):
        found = given.dataset(form, "test", 40)
        np.testing.assert_array_equal(found.images, wanted.images)
        np.testing.assert_array_equal(found.labels, wanted.labels)


IMAGES, LABELS = np.zeros((4, 3, 3), np.uint8), np.array([0, 1, 2, 1])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (7, "a int. Give an array of images"),
        ([], "none. Give an array"),
        ((IMAGES, LABELS[:3]), "4 images and 3 labels"),
        ((IMAGES, LABELS - 1), "a label is -1"),
        ((IMAGES, LABELS * 1.0), "one whole number an image is wanted"),
        ((IMAGES.astype(np.int64), LABELS), "values of type int64. Save them as uint8"),
        ((IMAGES - 1.5, LABELS), "values of -1.5..-1.5, and floats are taken in 0..1"),
        (TensorDataset(torch.zeros(2, 3, 3) + 2, torch.zeros(2, dtype=torch.int64)), "leave Normalize out"),
        (TensorDataset(torch.zeros(2, 3, 3)), "no pair of an image and a label"),
        ([(np.zeros((2, 2), np.uint8), 0), (np.zeros((3, 2), np.uint8), 1)], "images of different sizes"),
        ((torch.zeros(2, 3, 3, dtype=torch.bfloat16), torch.zeros(2)), "no array of numbers"),
        (np.zeros((4, 3, 3, 3, 3), np.uint8), "an array (4, 3, 3, 3, 3)"),
        (np.zeros((0, 3, 3), np.uint8), "none"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_data_set_is_refused_in_one_line(data, words):
    with pytest.raises(DataError) as caught:
        given.dataset(data, "test")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_without_labels_classify_alone(model, digits):
    program = ff2loihi.compile(model, digits[0])
    for call in (ff2loihi.run, ff2loihi.learn):
        with pytest.raises(FF2LoihiError):
            call(program, digits[1].images)
    with pytest.raises(DataError, match="no labels. Give a pair of images and labels"):
        ff2loihi.compile(model, digits[0].images)
