"""Images of your own: arrays in a file, a network trained on them, compiled, and run on images that it never saw.

    python examples/own_data.py FOLDER                    shapes that this script draws, in half a minute
    python examples/own_data.py FOLDER --images x.npz     yours: `images` (samples, height, width) and `labels`
    python examples/own_data.py FOLDER --small            fewer epochs, a few seconds

FOLDER gets shapes.npz, model.pt, model.ffl, and own_data.png and .svg, a few test images with the class of each.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot

import ff2loihi

SHAPES = ("ring", "square", "cross")  # the classes 0, 1, 2
SIDE = 12  # pixels
SHOWN = 12  # test images in the picture


def draw_shape(kind: int, rng: np.random.Generator) -> np.ndarray:
    """(SIDE, SIDE) bytes: a bright ring, square or cross of random size and place, on a noisy ground."""
    y, x = np.mgrid[:SIDE, :SIDE] - rng.uniform(4.5, 6.5, (2, 1, 1))
    size = rng.uniform(2.5, 4.5)
    distance = (
        np.abs(np.hypot(x, y) - size),
        np.abs(np.maximum(abs(x), abs(y)) - size),
        np.where(np.maximum(abs(x), abs(y)) < size, np.minimum(abs(x - y), abs(x + y)), SIDE),
    )[kind]
    light = 220.0 * (distance < 0.8) + rng.normal(20, 15, (SIDE, SIDE))
    return light.clip(0, 255).astype(np.uint8)


def write_shapes(path: Path, samples: int) -> None:
    """The file that you would have: images and labels, nothing else."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(SHAPES), samples)
    np.savez(path, images=np.stack([draw_shape(kind, rng) for kind in labels]), labels=labels)


def picture(test: ff2loihi.Dataset, predictions: np.ndarray, path: Path) -> None:
    figure, places = pyplot.subplots(2, SHOWN // 2, figsize=(SHOWN / 2, 2.6), layout="constrained")
    for place, image, label, found in zip(places.flat, test.images, test.labels, predictions, strict=False):
        place.imshow(image.reshape(test.shape).squeeze(), cmap="gray")
        place.set_title(f"{found}" if found == label else f"{found}, is {label}", fontsize=9)
        place.axis("off")
    for file in (path, path.with_suffix(".svg")):  # to look at, and for print
        figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    file = given.images or given.folder / "shapes.npz"
    if given.images is None:
        write_shapes(file, samples=600 if given.small else 3000)

    train, test = (ff2loihi.load_data(str(file), split) for split in ("train", "test"))  # the last fifth is the test
    network = ff2loihi.train("ffa-symmetric", train, epochs=10 if given.small else 40, widths=(100,))
    network.save(given.folder / "model.pt")
    program = ff2loihi.compile(given.folder / "model.pt", train)  # training images set the ranges of the integers
    ff2loihi.save(program, given.folder / "model.ffl")

    report = ff2loihi.run(program, test)
    predictions = ff2loihi.classify(program, test).predictions  # labels are not needed for this one
    print(f"{len(train.labels)} training images of {train.shape[0]} x {train.shape[1]} pixels, {train.classes} classes")
    print(f"{report.accuracy:.1%} of {report.samples} test images, in the chip's integers\n")
    print("class  test images  called so")
    for number, row in enumerate(report.confusion):
        print(f"{number:>5}  {sum(row):>11}  {row[number] / max(1, sum(row)):>9.1%}")
    picture(test, predictions, given.folder / "own_data.png")


if __name__ == "__main__":
    main()
