"""PNG, JPEG and BMP pictures in a folder for each class, by pillow, which is imported where there are some."""

import io
import os
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ff2loihi.compilers.errors import DataError, brief
from ff2loihi.data.folders import Folder

FORMATS = ("PNG", "JPEG", "BMP")
GREY, DEEP = ("1", "L", "LA"), ("I", "F")  # pillow's names of what has one value a pixel, and of more than 8 bits
COLOURS, MOST = 3, 1 << 30  # channels; bytes of all pictures of a split, were they in colour


def by_class(
    folder: Folder, inside: str, classes: list[str], shown: list[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (samples, height, width, channels) uint8 and labels (samples,) int64, of a folder for each class.

    inside: where those are; shown: the classes that must have some, all of them where None. Grey pictures among
    coloured ones become coloured. Raises DataError.
    """
    names: list[tuple[str, int]] = []
    for label, name in enumerate(classes):
        if shown is not None and name not in shown:
            continue
        place = os.path.join(inside, name)
        inner = folder.names(place)
        if inner:
            raise DataError(f"{folder.path / place}: holds a folder, {brief(inner[0])}: pictures of a class lie in one")
        found = [os.path.join(place, one) for one in folder.names(place, folders=False)]
        if not found:
            raise DataError(f"{folder.path / place}: a class without images. Add some, or remove the folder")
        names += [(one, label) for one in found]
    first, pictures = _picture(folder, names[0][0]), []
    size = COLOURS * first.shape[0] * first.shape[1]  # as others may have them
    if size * len(names) > MOST:
        raise DataError(f"{folder.path}: {len(names):,} pictures of {size:,} bytes, {MOST:,} are read at most")
    for name, _ in names:
        picture = _picture(folder, name)
        if picture.shape[:2] != first.shape[:2]:
            raise DataError(
                f"{folder.path}: {name} is {_size(picture)} pixels, {names[0][0]} {_size(first)}. Make all of one size"
            )
        pictures.append(picture)
    channels = max(picture.shape[2] for picture in pictures)
    images = np.stack([np.broadcast_to(picture, (*picture.shape[:2], channels)) for picture in pictures])
    return images, np.array([label for _, label in names], np.int64)


def _size(picture: np.ndarray) -> str:
    return "{1} x {0}".format(*picture.shape)


def _is_grey(picture: Image.Image) -> bool:
    """Whether its mode says so, or each colour of its palette is a grey."""
    if picture.mode != "P":
        return picture.mode in GREY
    used = np.asarray(picture.getpalette("RGB")).reshape(-1, COLOURS)[np.unique(np.asarray(picture))]
    return bool((used == used[:, :1]).all())


def _picture(folder: Folder, name: str) -> np.ndarray:
    """(height, width, 1 or 3) uint8."""
    data = folder.read(name, "a PNG, JPEG or BMP picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                if picture.mode.startswith(DEEP) or (picture.format == "PNG" and data[24] > 8):
                    raise ValueError("more than 8 bits a value")
                upright = ImageOps.exif_transpose(picture)  # as a camera was held, if the picture says so
                found = np.asarray(upright.convert("L" if _is_grey(upright) else "RGB"))
    except Exception as error:  # pillow raises many kinds for damaged bytes, and each means the same
        said = "" if isinstance(error, UnidentifiedImageError) else brief(error, 100)
        raise DataError(
            f"{folder.path / name}: not a PNG, JPEG or BMP that can be read ({said or type(error).__name__}). "
            "Save it again, with 8 bits a value, or move it elsewhere"
        ) from None
    return found.reshape(*found.shape[:2], -1)
