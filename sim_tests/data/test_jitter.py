"""Images moved by some pixels: whole, all channels together, black coming in and nothing wrapping around."""

import numpy as np
import pytest

from ff2loihi.data.jitter import moved


@pytest.mark.parametrize("channels", [1, 3])
def test_every_move_is_the_window_of_a_framed_image(channels):
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (25, 6, 6, channels), np.uint8)
    by = np.stack(np.meshgrid(range(-2, 3), range(-2, 3), indexing="ij"), -1).reshape(25, 2)
    found = moved(images.reshape(25, -1), by, (6, 6, channels)).reshape(images.shape)
    assert found.dtype == np.uint8
    for image, (down, right), got in zip(images, by, found, strict=True):
        framed = np.pad(image, ((2, 2), (2, 2), (0, 0)))
        np.testing.assert_array_equal(got, framed[2 - down : 8 - down, 2 - right : 8 - right])
    assert (found[0, -2:] == 0).all()  # moved up: the last rows are black, not the first ones again
    assert (found[0, :-2, -2:] == 0).all()


def test_a_move_beyond_the_image_is_black_and_takes_no_memory():
    images = np.full((2, 12), 9, np.uint8)
    found = moved(images, np.array([[10**9, 0], [0, -(10**9)]]), (3, 4, 1))
    assert found.shape == images.shape
    assert not found.any()
