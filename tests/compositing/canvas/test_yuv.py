"""Frames that come and go as video's luminance and colour: right colours, and the way there and back loses little."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.compositing.canvas.gpu import Compositor  # noqa: E402
from rtswap.compositing.canvas.yuv import bytes_shape, coding, frame_size  # noqa: E402
from rtswap.core.types import Image  # noqa: E402

TO_BGR = {"nv12": cv2.COLOR_YUV2BGR_NV12, "i420": cv2.COLOR_YUV2BGR_I420}


def smooth(width: int = 128, height: int = 96) -> Image:
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def i420(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)


def nv12(image: Image) -> Image:
    planar, height = i420(image), image.shape[0]
    blue, red = planar[height:].reshape(2, -1)
    both = np.stack([blue, red], 1).reshape(-1, image.shape[1])
    return np.concatenate([planar[:height], both])


AS = {"nv12": nv12, "i420": i420}


@pytest.mark.parametrize("layout", AS)
def test_what_comes_in_is_what_opencv_makes_of_it(layout: str) -> None:
    """OpenCV repeats each colour for its four pixels, as we do. Every level of every plane is tried."""
    rng = np.random.default_rng(1)
    for raw in (AS[layout](smooth()), rng.integers(0, 256, (144, 128), dtype=np.uint8)):
        wanted = np.asarray(cv2.cvtColor(raw, TO_BGR[layout]))
        got = Compositor("cpu", layout_in=layout).begin(raw).image()
        assert np.abs(got.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("layout", AS)
def test_what_goes_out_shows_the_same_picture(layout: str) -> None:
    image = smooth()
    sent = Compositor("cpu", layout_out=layout).begin(image).image()
    assert sent.shape == (144, 128)
    assert np.abs(sent[:96].astype(int) - AS[layout](image)[:96]).max() <= 1
    back = np.asarray(cv2.cvtColor(sent, TO_BGR[layout]))
    theirs = np.asarray(cv2.cvtColor(AS[layout](image), TO_BGR[layout]))
    assert np.abs(back.astype(int) - image).mean() <= np.abs(theirs.astype(int) - image).mean() + 0.1


@pytest.mark.parametrize("layout", AS)
@pytest.mark.parametrize("standard", ["bt601", "bt709"])
@pytest.mark.parametrize("full_range", [False, True])
def test_plain_colours_keep_theirs_in_every_standard(layout: str, standard: str, full_range: bool) -> None:
    coded = coding(standard, full_range=full_range)
    for color in ((0, 0, 0), (255, 255, 255), (200, 30, 60), (20, 180, 90), (40, 60, 220)):
        image = np.full((16, 16, 3), color, np.uint8)
        sent = Compositor("cpu", layout_out=layout, coded=coded).begin(image).image().copy()
        back = Compositor("cpu", layout_in=layout, coded=coded).begin(sent).image()
        assert np.abs(back.astype(int) - image).max() <= 3
        if sum(color) in (0, 765):
            low, high = (0, 255) if full_range else (16, 235)
            assert sent[0, 0] == (high if sum(color) else low)
            assert (sent[16:] == 128).all()


def test_the_rows_of_the_standards_are_the_published_ones() -> None:
    """ITU-R BT.601 and BT.709, limited range, as every table has them."""
    first, second = coding("bt601"), coding("bt709")
    assert first.light == pytest.approx(1.164, abs=1e-3)
    assert first.to_bgr_blue == pytest.approx((2.017, -0.392, 0), abs=1e-3)
    assert first.to_bgr_red == pytest.approx((0, -0.813, 1.596), abs=1e-3)
    assert second.to_bgr_blue == pytest.approx((2.112, -0.213, 0), abs=1e-3)
    assert second.to_bgr_red == pytest.approx((0, -0.533, 1.793), abs=1e-3)


@pytest.mark.parametrize("layout", AS)
def test_odd_sides_are_refused_and_said(layout: str) -> None:
    with pytest.raises(ValueError, match="must be even, not 97 x 60"):
        Compositor("cpu", layout_out=layout).begin(np.zeros((60, 97, 3), np.uint8))
    with pytest.raises(ValueError, match="is no"):
        Compositor("cpu", layout_in=layout).begin(np.zeros((145, 128), np.uint8))
    assert frame_size(bytes_shape(128, 96, layout), layout) == (128, 96)
