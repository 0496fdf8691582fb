"""A picture of 100 megapixels, the largest that is read, does not exhaust the memory."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from icc_profiles import ADOBE_RGB, cmyk_profile, rgb_profile, with_chunk
from people import group
from PIL import Image as Picture
from processes import run_python

from rtswap.core.errors import InputError
from rtswap.disclosure import watermark
from rtswap.disclosure.manifest import read_manifest
from rtswap.disclosure.watermark import Payload, Watermark
from rtswap.media.inputs import open_input
from rtswap.media.inputs.animation import is_animated
from rtswap.vision.images import decode_photo, read_image

MARKS = """
import numpy as np
from rtswap.core.memory import peak_memory
from rtswap.disclosure.watermark import Payload, Watermark
image = np.full((8000, 5000, 3), 90, np.uint8)
image[::2] = 91
before = peak_memory()
Watermark(Payload((0, 1))).embed(image)
print((peak_memory() - before) / image.nbytes)
"""

READS = """
import sys
from pathlib import Path
import PIL.ImageCms, PIL.ImageOps, cv2, numpy as np
from rtswap.core.memory import peak_memory
from rtswap.vision import colour_profiles, images
images.read_image("rtswap/assets/personas/ada.jpg")
before = peak_memory()
image, _ = images.read_shown(Path(sys.argv[1]))
print((peak_memory() - before) / image.nbytes, int(image.max(axis=(0, 1)).sum()) == int(image[0, 0].sum()))
"""

RUN = """
import sys
from rtswap.commands.main import main
from rtswap.core.memory import peak_memory
code = main(["-q", "-s", "persona:vera", "-i", sys.argv[1], "-o", sys.argv[2]])
print(code, peak_memory())
"""


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
@pytest.mark.parametrize("kind", ["a profile", "inks", "Adobe RGB by EXIF", "PNG's numbers", "holes"])
def test_no_kind_of_colours_takes_several_times_the_memory(kind: str, tmp_path: Path) -> None:
    """Of a picture that is converted to sRGB: one of 1.5 MB took 5 GB."""
    path = tmp_path / ("a.png" if kind in ("PNG's numbers", "holes") else "a.jpg")
    side, exif = 5000, Picture.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    plain = Picture.new("RGB", (side, side), (200, 60, 90))
    if kind == "a profile":
        plain.save(path, icc_profile=rgb_profile(ADOBE_RGB, 2.2))
    elif kind == "inks":
        profile = cmyk_profile([(100 - 6 * number, 0, 0) for number in range(16)])
        Picture.new("CMYK", plain.size, (40, 80, 20, 10)).save(path, icc_profile=profile)
    elif kind == "holes":
        Picture.new("RGBA", plain.size, (200, 60, 90, 128)).save(path)
    else:
        plain.save(path, exif=exif)
    if kind == "PNG's numbers":
        path.write_bytes(with_chunk(path.read_bytes(), b"cICP", bytes((9, 16, 0, 1))))
    share, alike = run_python(READS, str(path)).stdout.split()
    assert float(share) < 5.5
    assert alike == "True", "every strip is converted"


def test_the_mark_of_a_large_picture_needs_less_memory_than_the_picture() -> None:
    assert float(run_python(MARKS).stdout) < 0.9


BITS = b"P4\n30000 30000\n"
"""The head of a picture of 900 megapixels, a bit each, which OpenCV reads and Pillow is not asked for."""
DECODES = """
import sys, rtswap, cv2, numpy as np
from rtswap.vision.images import MAX_PIXELS
data = np.zeros(13_000_000, np.uint8)
for side in (int(MAX_PIXELS**0.5), int(MAX_PIXELS**0.5) + 8):
    head = b"P4\\n%d %d\\n" % (side, side)
    data[: len(head)] = np.frombuffer(head, np.uint8)
    try:
        print(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).shape)
    except cv2.error as error:
        print(error.err)
"""


def test_formats_whose_size_nobody_checks_are_refused(tmp_path: Path) -> None:
    """By whatever name: a file of 112 MB took 5.6 GB."""
    with (tmp_path / "a.png").open("wb") as file:
        file.write(BITS)
        file.truncate(120_000_000)
    with pytest.raises(InputError, match="got a Netpbm picture"):
        read_image(tmp_path / "a.png")


def tiled(
    size: tuple[int, int], tiles: Sequence[int], *, order: str = "<", large: bool = False, signed: bool = False
) -> bytes:
    """The head of a TIFF, and the beginning of its only tile. ``tiles``: widths, and the last height."""
    kind = {(False, False): 4, (False, True): 9, (True, False): 16, (True, True): 17}[large, signed]
    entries = [(256, size[0]), (257, size[1]), (258, 8), (277, 1), *((322, side) for side in tiles[:-1])]
    entries += [(323, tiles[-1]), (324, 400), (325, 10)]
    wide, names = ("Q", "HHQQ") if large else ("I", "HHII")
    head = struct.pack(f"{order}2s", b"II" if order == "<" else b"MM")
    head += struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if large else struct.pack(f"{order}HI", 42, 8)
    listed = b"".join(struct.pack(order + names, tag, kind, 1, value) for tag, value in entries)
    return (
        head
        + struct.pack(f"{order}{'Q' if large else 'H'}", len(entries))
        + listed
        + struct.pack(f"{order}{wide}", 0)
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("large", [False, True], ids=["TIFF", "BigTIFF"])
def test_the_tiles_of_a_small_picture_are_no_larger_than_a_large_one(tmp_path: Path, order: str, large: bool) -> None:
    """One of 100 x 100 pixels in a tile of 26,000 x 26,000, 2 MB, took 2 GB."""
    path = tmp_path / "a.tif"
    for tiles in ([26_000, 26_000], [26_000, 16, 26_000], [16, 26_000, 26_000]):
        path.write_bytes(tiled((100, 100), tiles, order=order, large=large))
        with pytest.raises(InputError, match="at most 100 megapixels; got 26000x26000"):
            read_image(path)
    path.write_bytes(tiled((100, 100), [26_000, 26_000], order=order, large=large, signed=True))
    with pytest.raises(InputError, match="at most 100 megapixels"):
        read_image(path)
    content = tiled((100, 100), [128, 128], order=order, large=large)
    for length in (len(content), len(content) - 30, 9):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="a truncated or damaged image"):
            read_image(path)


def test_a_huge_animation_is_refused_at_once(tmp_path: Path) -> None:
    first = Picture.new("P", (8000, 6000))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[Picture.new("P", first.size, 1)])
    with pytest.raises(InputError, match="at most 40 megapixels; got 8000x6000"):
        open_input(str(tmp_path / "a.gif"))


@pytest.mark.parametrize("tail", [b"", b"\xff\xda" * 500], ids=["alone", "with a film behind it"])
def test_a_jpeg_that_is_decoded_thousands_of_times_is_refused(tail: bytes, tmp_path: Path) -> None:
    """A scan of a progressive JPEG costs a few hundred bytes, and as much time as the whole picture."""
    path = tmp_path / "a.jpg"
    Picture.new("RGB", (400, 300)).save(path, progressive=True)
    good = path.read_bytes()
    scan = good[good.rfind(b"\xff\xda") : -2]
    path.write_bytes(good + tail)
    assert read_image(path).shape == (300, 400, 3)
    path.write_bytes(good[:-2] + 3000 * scan + good[-2:] + tail)
    with pytest.raises(InputError, match="at most 100 scans; got 30"):
        read_image(path)
    with pytest.raises(InputError, match="at most 100 scans"):
        decode_photo(path.read_bytes(), "a.jpg")


@pytest.mark.parametrize(
    ("kind", "part"), [("JPEG", b"\xff\xfe\0\2"), ("PNG", b"\0\0\0\0IDAT5\xaf\x06\x1e")], ids=["JPEG", "PNG"]
)
def test_a_picture_of_millions_of_parts_is_refused(kind: str, part: bytes, tmp_path: Path) -> None:
    """Pillow reads them one by one, several times: 24 MB took most of a minute, 180 MB 3 GB of memory as well."""
    path, head = tmp_path / "a", 2 if kind == "JPEG" else 33
    Picture.new("RGB", (400, 300)).save(path, format=kind)
    good = path.read_bytes()
    path.write_bytes(good[:head] + 1000 * part + good[head:])
    assert read_image(path).shape == (300, 400, 3)
    path.write_bytes(good[:head] + 100_001 * part + good[head:])
    with pytest.raises(InputError, match="at most 100,000 parts; got more"):
        read_image(path)
    with pytest.raises(InputError, match="at most 100,000 parts"):
        read_manifest(path)
    assert not is_animated(path)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_picture_of_many_packed_texts_is_refused(kind: bytes, tmp_path: Path) -> None:
    """OpenCV unpacks a thousand of 8 MB each, which no picture needs: 8 MB took half a minute, each time."""
    path = tmp_path / "a.png"
    Picture.new("RGB", (400, 300)).save(path)
    good = path.read_bytes()
    texts = with_chunk(good, kind, b"a\0\0" + zlib.compress(bytes(1000)))[33 : 33 - len(good)]
    path.write_bytes(good[:33] + 100 * texts + good[33:])
    assert read_image(path).shape == (300, 400, 3)
    path.write_bytes(good[:33] + 101 * texts + good[33:])
    with pytest.raises(InputError, match="at most 100 texts; got 101"):
        read_image(path)


WARNS = """
import sys
from pathlib import Path
from rtswap.commands import main as module
from rtswap.vision.images import read_shown
module.main = lambda: print(read_shown(Path(sys.argv[1]))[1]) or 0
module.run_process()
"""


def test_a_picture_does_not_fill_the_terminal(tmp_path: Path) -> None:
    """Pillow warns of each tag that is wrong: 20,000 in 240 kB printed 80,000 lines."""
    path = tmp_path / "a.png"
    Picture.new("RGB", (64, 64)).save(path)
    tags = b"".join(struct.pack("<HHII", 0x8000 + number, 7, 1_000_000, 8) for number in range(300))
    path.write_bytes(
        with_chunk(path.read_bytes(), b"eXIf", b"II*\0\x08\0\0\0" + struct.pack("<H", 300) + tags + bytes(4))
    )
    done = run_python(WARNS, str(path))
    assert (done.stdout, done.stderr) == ("()\n", "")


def test_a_picture_of_thousands_of_notes_is_refused(tmp_path: Path) -> None:
    """OpenCV's libpng prints a line for each that is wrong: 900 kB filled the terminal with 60,000."""
    path = tmp_path / "a.png"
    Picture.new("RGB", (400, 300)).save(path)
    good = path.read_bytes()
    note = with_chunk(good, b"gAMA", bytes([0, 0, 177, 143]))[33 : 33 - len(good)]
    path.write_bytes(good[:33] + note + good[33:])
    assert read_image(path).shape == (300, 400, 3)
    path.write_bytes(good[:33] + 1001 * note + good[33:])
    with pytest.raises(InputError, match="at most 1,000 notes; got more"):
        read_image(path)


def test_opencv_decodes_no_more_than_rtswap_reads() -> None:
    """Where a header says one thing to Pillow and another to OpenCV."""
    assert run_python(DECODES).stdout.splitlines() == ["(10000, 10000)", "pixels <= CV_IO_MAX_IMAGE_PIXELS"]


@pytest.mark.parametrize("set_for_all", ["1099511627776", "none"])
def test_a_command_has_its_own_limit(set_for_all: str) -> None:
    """Advice on OpenCV's errors is to raise it for all programs; what is no number aborted every command."""
    here = f"import os\nos.environ['OPENCV_IO_MAX_IMAGE_PIXELS'] = {set_for_all!r}\n"
    command = "from rtswap.commands.main import main\nmain(['completion', 'bash', '-q'])\n"
    shown = run_python(here + command + DECODES).stdout.splitlines()
    assert shown[-2:] == ["(10000, 10000)", "pixels <= CV_IO_MAX_IMAGE_PIXELS"]


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
