"""A Pillow image has the colours that the same file has by its path."""

import io

import numpy as np
import pytest
from icc_profiles import ADOBE_RGB, cmyk_profile, grey_profile, rgb_profile
from PIL import Image

from rtswap.app.pictures import pixels

WIDE = rgb_profile(ADOBE_RGB, 563 / 256)
INKS = cmyk_profile([(0, 0, 0) if n & 1 else (53, 80, 67) if n & 8 else (100, 0, 0) for n in range(16)])


def of_file(
    picture: Image.Image, kind: str, tmp_path, **options: object
) -> tuple[np.ndarray, np.ndarray, Image.Image]:
    path = tmp_path / "picture"
    picture.save(path, kind, **options)
    with Image.open(io.BytesIO(path.read_bytes())) as opened:
        opened.load()
        return pixels(path).astype(int), pixels(opened).astype(int), opened


@pytest.mark.parametrize(
    ("mode", "profile"),
    [("RGB", WIDE), ("P", WIDE), ("RGBA", WIDE), ("L", grey_profile(1.5)), ("CMYK", INKS), ("RGB", b""), ("L", WIDE)],
)
def test_a_profile_is_applied_to_a_pillow_image(mode: str, profile: bytes, tmp_path) -> None:
    shades = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(4, 0).repeat(4, 1)
    picture = Image.fromarray(np.dstack([shades, 255 - shades, shades // 2])).convert(mode)
    by_path, by_pillow, _ = of_file(picture, "TIFF" if mode == "CMYK" else "PNG", tmp_path, icc_profile=profile)
    assert np.abs(by_path - by_pillow).max() <= 2
    plain = np.asarray(picture.convert("RGB"))[..., ::-1].astype(int)
    applies = bool(profile) and (mode, profile) != ("L", WIDE)
    assert (np.abs(by_pillow - plain).max() > 10) == applies


def test_adobe_rgb_by_exif_alone(tmp_path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    by_path, by_pillow, _ = of_file(Image.new("RGB", (40, 30), (205, 80, 140)), "JPEG", tmp_path, exif=exif)
    assert np.abs(by_path - by_pillow).max() <= 1
    assert abs(by_pillow[0, 0] - (140, 80, 205)).max() > 10


def test_a_profile_that_an_image_has_kept_from_before_its_conversion_is_not_applied(tmp_path) -> None:
    """Pillow's ``convert`` keeps the profile of the inks."""
    _, _, opened = of_file(Image.new("CMYK", (40, 30), (90, 10, 30, 20)), "TIFF", tmp_path, icc_profile=INKS)
    converted = opened.convert("RGB")
    assert (pixels(converted) == np.asarray(converted)[..., ::-1]).all()


def test_lab_keeps_its_white(tmp_path) -> None:
    colours = np.zeros((40, 60, 3), np.uint8)
    colours[:, :20], colours[:, 20:40], colours[:, 40:] = (255, 255, 255), (150, 160, 140), (205, 165, 140)
    by_path, by_pillow, _ = of_file(Image.fromarray(colours).convert("LAB"), "TIFF", tmp_path)
    assert np.abs(by_path[..., ::-1] - colours).max() <= 3
    assert (by_path == by_pillow).all()
