"""Photos in wide gamuts, with ink profiles or in HEIC are read in sRGB: as sources and as inputs alike."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from colour_codes import pq
from heic_sample import heic
from icc_profiles import ADOBE_RGB, cmyk_profile, grey_profile, rgb_profile, with_chunk
from PIL import Image as Pil

from rtswap.app.pictures import pixels
from rtswap.core.errors import InputError
from rtswap.vision.images import read_image, read_photo
from rtswap.vision.picture_kinds import looks_like_picture

RGB = np.zeros((40, 60, 3), np.uint8)
RGB[:, :20] = (200, 50, 20)
RGB[:, 20:40] = (150, 160, 140)
RGB[:, 40:] = (205, 165, 140)
ADOBE_TO_SRGB = np.array([[1.3984, -0.3984, 0.0], [0.0, 1.0, 0.0], [0.0, -0.0429, 1.0429]])
"""Linear, by its published primaries: red and green differ, blue and white are shared."""


def srgb(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def adobe_shown(rgb: np.ndarray) -> np.ndarray:
    """sRGB 0..255 of Adobe RGB 0..255."""
    return srgb((rgb / 255) ** (563 / 256) @ ADOBE_TO_SRGB.T)


def save(path: Path, picture: Pil.Image, kind: str, **options: object) -> Path:
    picture.save(path, format=kind, **options)  # type: ignore[arg-type]
    return path


def off(path: Path, expected: np.ndarray) -> float:
    """The largest mean difference in the three fields."""
    image = read_image(path)[..., ::-1].astype(float)
    assert image.shape == expected.shape
    return max(float(np.abs((image - expected)[:, x : x + 10].mean(axis=(0, 1))).max()) for x in (5, 25, 45))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_a_wide_gamut_profile_is_applied(tmp_path: Path, kind: str) -> None:
    path = save(tmp_path / "a", Pil.fromarray(RGB), kind, icc_profile=rgb_profile(ADOBE_RGB, 563 / 256), quality=98)
    assert off(path, adobe_shown(RGB)) < (5 if kind in ("JPEG", "WEBP", "AVIF") else 2.5)


def test_sixteen_bits_with_a_profile(tmp_path: Path) -> None:
    data = cv2.imencode(".png", RGB[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    packed = zlib.compress(rgb_profile(ADOBE_RGB, 563 / 256))
    (tmp_path / "a.png").write_bytes(with_chunk(data, b"iCCP", b"test\0\0" + packed))
    assert off(tmp_path / "a.png", adobe_shown(RGB)) < 2.5


def test_adobe_rgb_by_exif_alone(tmp_path: Path) -> None:
    """As cameras write it: InteropIndex R03, no profile."""
    exif = Pil.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    assert off(save(tmp_path / "a", Pil.fromarray(RGB), "JPEG", exif=exif, quality=98), adobe_shown(RGB)) < 5


def test_a_grey_profile_is_applied(tmp_path: Path) -> None:
    grey = Pil.fromarray(np.ascontiguousarray(RGB[..., 1]))
    path = save(tmp_path / "a", grey, "PNG", icc_profile=grey_profile(1.5))
    assert off(path, np.repeat(srgb((RGB[..., 1:2] / 255) ** 1.5), 3, -1)) < 3
    image = read_image(path).astype(int)
    assert np.ptp(image, axis=2).max() <= 1


def test_inks_are_shown_as_their_profile_says(tmp_path: Path) -> None:
    """A made-up press: whatever is printed, red comes out where there is cyan, else white; black stays black."""
    corners = [(0, 0, 0) if n & 1 else (53, 80, 67) if n & 8 else (100, 0, 0) for n in range(16)]
    inks = np.zeros((40, 60, 4), np.uint8)
    inks[:, :20, 0] = 255
    inks[:, 40:, 3] = 255
    expected = np.zeros((40, 60, 3))
    expected[:, :20], expected[:, 20:40] = (255, 0, 0), 255
    for kind in ("JPEG", "TIFF"):
        path = save(tmp_path / kind, Pil.fromarray(inks, "CMYK"), kind, icc_profile=cmyk_profile(corners))
        assert off(path, expected) < 12


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\0" * 300])
def test_a_damaged_profile_changes_nothing(tmp_path: Path, data: bytes) -> None:
    assert off(save(tmp_path / "a", Pil.fromarray(RGB), "PNG", icc_profile=data), RGB) == 0


def test_an_hdr_screenshot_is_tone_mapped(tmp_path: Path) -> None:
    """PNG's cICP chunk: primaries, transfer, matrix, full range."""
    light = np.linspace(1, 80, 60)[None, :, None].repeat(20, 0).repeat(3, 2)
    data = cv2.imencode(".png", np.round(pq(light) * 65535).astype(np.uint16))[1].tobytes()
    (tmp_path / "a.png").write_bytes(with_chunk(data, b"cICP", bytes((9, 16, 0, 1))))
    assert np.abs(read_image(tmp_path / "a.png") - 255 * (light / 203) ** (1 / 2.4)).max() < 1.5


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 1 / 2.2])
def test_the_gamma_and_primaries_of_png(tmp_path: Path, bits: int, gamma: float) -> None:
    """PNG 11.3.2: gAMA and cHRM, in units of 1/100,000."""
    light = ((RGB / 255.0) ** 2.2) ** gamma
    kind = np.uint16 if bits == 16 else np.uint8
    data = cv2.imencode(".png", np.round(light[..., ::-1] * np.iinfo(kind).max).astype(kind))[1].tobytes()
    stated = with_chunk(data, b"gAMA", struct.pack(">I", round(gamma * 1e5)))
    (tmp_path / "a.png").write_bytes(stated)
    assert off(tmp_path / "a.png", RGB if gamma == 1 / 2.2 else srgb((RGB / 255) ** 2.2)) < 2.5
    xy = (0.3127, 0.329, *np.ravel([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]))
    adobe = with_chunk(stated, b"cHRM", struct.pack(">8I", *(round(value * 1e5) for value in xy)))
    (tmp_path / "a.png").write_bytes(adobe)
    assert off(tmp_path / "a.png", adobe_shown(RGB)) < 4
    assert bits == 16 or np.array_equal(pixels(Pil.open(tmp_path / "a.png")), read_image(tmp_path / "a.png"))
    (tmp_path / "a.png").write_bytes(with_chunk(adobe, b"sRGB", b"\0"))
    assert off(tmp_path / "a.png", light * 255) < 1


@pytest.mark.parametrize("xy", [(0,) * 8, (0.3, 0.3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5), (2.0, 9.0) * 4])
def test_impossible_primaries_change_nothing(tmp_path: Path, xy: tuple[float, ...]) -> None:
    data = with_chunk(cv2.imencode(".png", RGB)[1].tobytes(), b"gAMA", struct.pack(">I", 100_000))
    (tmp_path / "a.png").write_bytes(with_chunk(data, b"cHRM", struct.pack(">8I", *(int(v * 1e5) for v in xy))))
    assert np.array_equal(read_image(tmp_path / "a.png"), RGB)


def test_display_p3_by_numbers_in_avif(tmp_path: Path) -> None:
    """As phones write it: nclx, primaries 12, transfer 13. Linear, P3 to sRGB, as Apple publishes it."""
    path = save(tmp_path / "a.avif", Pil.fromarray(RGB), "AVIF", quality=95)
    data = bytearray(path.read_bytes())
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">HH", 12, 13)
    path.write_bytes(data)
    to_srgb = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    x = RGB / 255
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    assert off(path, srgb(linear @ to_srgb.T)) < 5


@pytest.mark.parametrize("mode", ["F", "I"])
def test_what_opencv_does_not_read_pillow_does(tmp_path: Path, mode: str) -> None:
    grey = Pil.fromarray(np.ascontiguousarray(RGB[..., 1]))
    assert off(save(tmp_path / "a", grey.convert(mode), "TIFF"), np.repeat(RGB[..., 1:2], 3, -1)) < 2
    inks = Pil.fromarray(RGB).convert("CMYK")
    assert off(save(tmp_path / "b", inks, "JPEG2000", irreversible=False), RGB) < 2


class TestHeic:
    def test_without_its_decoder_one_line_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "pi_heif", None)
        (tmp_path / "a.heic").write_bytes(heic())
        with pytest.raises(InputError, match=r"pip install pi-heif$"):
            read_image(tmp_path / "a.heic")

    def test_a_photo(self, tmp_path: Path) -> None:
        pytest.importorskip("pi_heif")
        (tmp_path / "a.heic").write_bytes(heic())
        assert looks_like_picture(heic()[:32])
        for read in (read_image, read_photo):
            image = read(tmp_path / "a.heic")
            assert image.shape == (64, 96, 3)
            assert np.abs(image[:, 8:40].mean(axis=(0, 1)) - (20, 50, 200)).max() < 12
            assert np.abs(image[:, 56:88].mean(axis=(0, 1)) - (140, 160, 150)).max() < 12

    def test_a_damaged_photo_is_refused(self, tmp_path: Path) -> None:
        pytest.importorskip("pi_heif")
        (tmp_path / "a.heic").write_bytes(heic()[:-200])
        with pytest.raises(InputError, match="truncated or damaged"):
            read_image(tmp_path / "a.heic")
