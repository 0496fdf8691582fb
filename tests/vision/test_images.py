"""Pictures in every common format are read correctly; other files are refused in one line."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from rtswap.core.errors import InputError
from rtswap.vision.images import decode_photo, read_image, read_photo, stated_size
from rtswap.vision.picture_kinds import looks_like_picture

RGB = np.zeros((40, 60, 3), np.uint8)
RGB[:, :30] = (200, 50, 20)
RGB[:20, 30:] = (10, 220, 40)
RGB[20:, 30:] = (30, 60, 240)
UPRIGHT = RGB[..., ::-1]


def encode(picture: Pil.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference: lossy codecs smear the borders between the fields."""
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def png_stating(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_formats(tmp_path: Path, kind: str) -> None:
    image = read_image(write(tmp_path / "a.bin", encode(Pil.fromarray(RGB), format=kind, quality=95)))
    assert image.shape == (40, 60, 3)
    assert image.dtype == np.uint8
    assert differ(image, UPRIGHT) < 6


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    data = cv2.imencode(suffix, UPRIGHT.astype(np.uint16) * 257)[1].tobytes()
    assert np.array_equal(read_image(write(tmp_path / "a", data)), UPRIGHT)


def test_sixteen_bit_grey(tmp_path: Path) -> None:
    data = cv2.imencode(".png", UPRIGHT[..., 1].astype(np.uint16) * 257)[1].tobytes()
    image = read_image(write(tmp_path / "a", data))
    assert np.array_equal(image, np.repeat(UPRIGHT[..., 1:2], 3, axis=2))


def test_cmyk(tmp_path: Path) -> None:
    image = read_image(
        write(tmp_path / "a.jpg", encode(Pil.fromarray(RGB).convert("CMYK"), format="JPEG", quality=95))
    )
    assert differ(image, UPRIGHT) < 6


def test_grey_and_palette(tmp_path: Path) -> None:
    grey = read_image(write(tmp_path / "g", encode(Pil.fromarray(RGB).convert("L"), format="PNG")))
    assert grey.shape == (40, 60, 3)
    adaptive = Pil.fromarray(RGB).convert("P", palette=Pil.Palette.ADAPTIVE)
    assert differ(read_image(write(tmp_path / "p", encode(adaptive, format="PNG"))), UPRIGHT) < 3


def test_alpha_is_dropped_and_colour_kept(tmp_path: Path) -> None:
    transparent = np.dstack([RGB, np.zeros((40, 60), np.uint8)])
    assert np.array_equal(
        read_image(write(tmp_path / "a", encode(Pil.fromarray(transparent), format="PNG"))), UPRIGHT
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path: Path, kind: str, orientation: int) -> None:
    """Stored as a camera held that way stores it (EXIF 2.3, tag 0x0112), it must come back upright."""
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Pil.Exif()
    exif[0x112] = orientation
    stored = Pil.fromarray(np.ascontiguousarray(undo[orientation](RGB)))
    image = read_image(write(tmp_path / "a", encode(stored, format=kind, exif=exif, quality=95)))
    assert image.shape == UPRIGHT.shape
    assert differ(image, UPRIGHT) < 6


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_picture(tmp_path: Path, kind: str) -> None:
    first = Pil.fromarray(RGB)
    data = encode(first, format=kind, save_all=True, append_images=[first.rotate(180)], quality=95)
    assert differ(read_image(write(tmp_path / "a", data)), UPRIGHT) < 6


def test_twenty_megapixels_load(tmp_path: Path) -> None:
    path = tmp_path / "big.jpg"
    cv2.imwrite(str(path), np.full((4000, 5000, 3), 90, np.uint8))
    assert read_image(path).shape == (4000, 5000, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(("most", "halvings"), [(64 * 48, 0), (64 * 48 - 1, 1), (64 * 48 // 5, 2), (1, 3)])
def test_a_large_photo_is_halved_while_it_is_decoded(tmp_path: Path, kind: str, most: int, halvings: int) -> None:
    """Upright as well."""
    exif = Pil.Exif()
    exif[0x112] = 6
    stored = Pil.new("RGB", (64, 48), (200, 10, 30))
    stored.paste((20, 100, 30), (0, 0, 32, 48))
    path = write(tmp_path / "a", encode(stored, format=kind, exif=exif, quality=95))
    image = read_image(path, most_pixels=most)
    assert image.shape == (64 >> halvings, 48 >> halvings, 3)
    assert np.abs(image[1].mean(axis=0) - (30, 100, 20)).max() < 12
    assert np.abs(image[-2].mean(axis=0) - (30, 10, 200)).max() < 12


def test_a_photo_in_memory_is_decoded_as_one_in_a_file(tmp_path: Path) -> None:
    data = encode(Pil.new("RGB", (64, 48), (200, 10, 30)), format="PNG")
    assert (decode_photo(data, "<an upload>") == read_photo(write(tmp_path / "a.png", data))).all()
    for broken in (b"", b"text", data[:60]):
        with pytest.raises(InputError, match="<an upload>"):
            decode_photo(broken, "<an upload>")


def test_a_photo_of_a_hundred_megapixels_takes_a_quarter_of_them(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(Pil.new("L", (10_000, 10_000)), format="JPEG"))
    assert read_photo(path).shape == (5000, 5000, 3)


def test_name_with_other_letters(tmp_path: Path) -> None:
    assert read_image(write(tmp_path / "Grüße 写真 😀.png", encode(Pil.fromarray(RGB), format="PNG"))).shape == (
        40,
        60,
        3,
    )


@pytest.mark.parametrize("size", [(10_001, 10_000), (20_000, 20_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bomb_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="megapixels"):
        read_image(write(tmp_path / "bomb.png", png_stating(*size)))


def test_ten_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(10 * 1024**3)
    with pytest.raises(InputError, match="10240 MB"):
        read_image(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("keep", [0.9, 0.5, 0.1])
def test_truncated(tmp_path: Path, kind: str, keep: float, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8)
    data = encode(Pil.fromarray(noise), format=kind)
    with pytest.raises(InputError, match="truncated or damaged"):
        read_image(write(tmp_path / "cut", data[: int(len(data) * keep)]))
    assert capfd.readouterr().err == ""


def test_invalid_pictures_are_refused(tmp_path: Path) -> None:
    cases = {
        tmp_path / "missing.png": "no such file",
        tmp_path: "folder",
        write(tmp_path / "empty.png", b""): "empty",
        write(tmp_path / "text.jpg", b"hello, world\n" * 50): "got text",
        write(tmp_path / "page.png", b"<!DOCTYPE html>\n<html><body>404"): "got a web page",
        write(tmp_path / "bytes.png", bytes(range(256)) * 9): "got another format",
        Path("/dev/zero"): "not a regular file",
    }
    for path, word in cases.items():
        with pytest.raises(InputError, match=word) as error:
            read_image(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("size", [(1, 1), (60, 40), (301, 7)])
def test_stated_size_is_the_true_size(kind: str, size: tuple[int, int]) -> None:
    data = encode(Pil.new("RGB", size, (9, 9, 9)), format=kind)
    assert stated_size(data) == size
    assert looks_like_picture(data[:32])


def test_name_that_cannot_be_a_path() -> None:
    with pytest.raises(InputError, match="bad"):
        read_image("bad\0name.png")


def test_stated_size_of_lossless_and_extended_webp() -> None:
    assert stated_size(encode(Pil.new("RGB", (70, 31)), format="WEBP", lossless=True)) == (70, 31)
    assert stated_size(encode(Pil.new("RGBA", (70, 31), (1, 2, 3, 4)), format="WEBP")) == (70, 31)


def shape_or_message(path: Path) -> str | tuple[int, ...]:
    try:
        return read_image(path).shape
    except InputError as error:
        return str(error)


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=300),
    magic=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF"]),
)
def test_random_bytes_give_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes, magic: bytes) -> None:
    outcome = shape_or_message(write(tmp_path_factory.getbasetemp() / "random", magic + data))
    assert len(outcome) == 3 if isinstance(outcome, tuple) else "\n" not in outcome


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 10_000), value=st.integers(0, 255), kind=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF"]))
def test_one_wrong_byte_gives_one_line(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int, kind: str
) -> None:
    data = bytearray(encode(Pil.fromarray(RGB), format=kind))
    data[at % len(data)] = value
    outcome = shape_or_message(write(tmp_path_factory.getbasetemp() / "flipped", bytes(data)))
    assert len(outcome) == 3 if isinstance(outcome, tuple) else "\n" not in outcome
