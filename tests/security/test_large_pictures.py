"""A picture of 100 megapixels, the largest that is read, does not exhaust the memory."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from people import group
from processes import run_python

from rtswap.disclosure import watermark
from rtswap.disclosure.watermark import Payload, Watermark

resource = pytest.importorskip("resource", reason="Windows counts memory in other ways")
MARKS = """
import resource, sys
import numpy as np
from rtswap.disclosure.watermark import Payload, Watermark
image = np.full((8000, 5000, 3), 90, np.uint8)
image[::2] = 91
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
Watermark(Payload((0, 1))).embed(image)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / image.nbytes)
"""

RUN = """
import sys
from rtswap.commands.main import main
code = main(["-q", "-s", "persona:vera", "-i", sys.argv[1], "-o", sys.argv[2]])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(code, 1024 * int(peak.split()[1]))
"""
"""Not ``ru_maxrss``: that counts the process which started this one, too."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_the_largest_picture_is_swapped_in_a_gigabyte_and_a_half(tmp_path: Path) -> None:
    """The whole command: read, swapped, marked, written, signed."""
    image = np.full((10_000, 10_000, 3), 100, np.uint8)
    image[3000:4500, 3000:4500] = cv2.resize(group("ben", size=300), (1500, 1500))
    assert cv2.imwrite(str(tmp_path / "big.jpg"), image)
    code, peak = run_python(RUN, str(tmp_path / "big.jpg"), str(tmp_path / "out.jpg")).stdout.split()
    assert code == "0"
    assert int(peak) < 1.5e9
    assert cv2.imread(str(tmp_path / "out.jpg"), cv2.IMREAD_REDUCED_GRAYSCALE_8).shape == (1250, 1250)


def test_the_mark_of_a_large_picture_needs_less_memory_than_the_picture() -> None:
    assert float(run_python(MARKS).stdout) < 0.9


@pytest.mark.parametrize("size", [(160, 160), (640, 360), (333, 721)])
def test_a_large_picture_gets_the_same_mark(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The two ways of adding it agree to the bit, in every frame of a stream whose texture changes."""
    kept = Watermark(Payload((0, 1)))
    plain = [textured(size, number) for number in range(4)]
    expected = [image.copy() for image in plain]
    for image in expected:
        kept.embed(image)
    monkeypatch.setattr(watermark, "MOST_CACHED", 0)
    by_rows = Watermark(Payload((0, 1)))
    for image, right in zip(plain, expected, strict=True):
        by_rows.embed(image)
        assert np.array_equal(image, right)


def textured(size: tuple[int, int], number: int) -> np.ndarray:
    """Flat, noisy and coarse areas, elsewhere in every frame."""
    width, height = size
    rng = np.random.default_rng(number)
    image = np.full((height, width, 3), 2 + number * 80, np.uint8)
    image[height // (number + 2) :, : width // 2] = rng.integers(0, 256, 3, np.uint8)
    coarse = rng.integers(0, 256, (height // 6 + 1, width // 6 + 1, 3), np.uint8).repeat(6, 0).repeat(6, 1)
    image[: height // 2, width // (number + 2) :] = coarse[: height // 2, width // (number + 2) : width]
    return image
