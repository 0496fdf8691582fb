"""A HEIC file of a few kilobytes must not take minutes or gigabytes."""

from __future__ import annotations

import random
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from heic_sample import grid_of, heic, heic_of

from rtswap.core.errors import InputError
from rtswap.vision.heif_items import LEAST_PIXELS, heif_pixels
from rtswap.vision.images import read_image

SIZE = (96, 64)
PHOTO = (b"hvc1", b"", SIZE)
MADE_OF, BESIDE = b"dimg", b"auxl"


def nested(levels: int) -> bytes:
    """Two grids a level, each of both of the level below."""
    grid = (b"grid", grid_of(1, 2, SIZE), SIZE)
    names = [(MADE_OF, 3 + at, [1 + at // 2 * 2, 2 + at // 2 * 2]) for at in range(2 * levels)]
    return heic_of([PHOTO, PHOTO, *[grid] * (2 * levels)], names)


def test_a_grid_of_photos_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    path = tmp_path / "a.heic"
    path.write_bytes(
        heic_of([PHOTO] * 4 + [(b"grid", grid_of(2, 2, (192, 128)), (192, 128))], [(MADE_OF, 5, [1, 2, 3, 4])])
    )
    image = read_image(path)
    assert image.shape == (128, 192, 3)
    path.write_bytes(heic())
    assert (image[:64, :96] == read_image(path)).all()
    path.write_bytes(nested(1))
    assert read_image(path).shape == (64, 96, 3)


def test_parts_are_counted_as_often_as_they_are_decoded() -> None:
    assert heif_pixels(heic()) == LEAST_PIXELS
    assert heif_pixels(nested(1)) == 3 * LEAST_PIXELS
    assert heif_pixels(nested(3)) == 15 * LEAST_PIXELS
    transparency = heic_of([PHOTO, (b"hvc1", b"", (1000, 1000))], [(BESIDE, 2, [1])])
    assert heif_pixels(transparency) == LEAST_PIXELS + 1_000_000
    assert heif_pixels(heic_of([PHOTO] * 9)) == LEAST_PIXELS, "others are not decoded"


TILES = [(b"hvc1", b"", (8192, 8192))] * 999
REFUSED = {
    "24 grids of grids, hours": nested(24),
    "999 large tiles in the place of one": heic_of(
        [*TILES, (b"grid", grid_of(1, 255, (8192, 8192)), (8192, 8192))], [(MADE_OF, 1000, range(1, 1000))]
    ),
    "an overlay of 32768 x 32768, 3 GB": heic_of(
        [PHOTO, (b"iovl", bytes([0, 1, *bytes(8), 0, 0, 128, 0, 0, 0, 128, 0, *bytes(8)]), (100, 100))],
        [(MADE_OF, 2, [1])],
    ),
    "a grid of itself": heic_of([(b"grid", grid_of(1, 2, SIZE), SIZE)], [(MADE_OF, 1, [1, 1])]),
    "too many items": heic_of([PHOTO] * 1001),
    "too many names": heic_of([PHOTO] * 3, [(MADE_OF, 3, [1] * 60_000), (MADE_OF, 2, [1] * 60_000)]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_takes_far_more_than_it_shows_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(REFUSED[what])
    with pytest.raises(InputError, match="is refused; expected a HEIC image whose parts make it up once"):
        read_image(path)


def test_damage_is_told_whatever_it_is() -> None:
    chance = random.Random(5)
    whole = nested(2)
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(16, len(damaged))] = chance.choice((0, 1, 255, chance.randrange(256)))
        with suppress(ValueError, IndexError, struct.error):
            heif_pixels(bytes(damaged[: chance.randint(20, len(damaged))]))


def test_items_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """EXIF is read of all items that have it: 900 in 1 MB, of all its bytes each, took 2 GB, and with 32 places each
    ended the program."""
    path = tmp_path / "a.heic"
    exif = b"\0\0\0\0Exif\0\0II*\0" + bytes(100)
    content = heic_of([*[(b"Exif", exif, SIZE)] * 5, PHOTO], [(b"cdsc", number, [6]) for number in range(1, 6)])
    path.write_bytes(content)
    assert heif_pixels(content) == LEAST_PIXELS
    for number in range(1, 6):
        own = struct.pack(">HHHHII", number, 1, 0, 1, (number - 1) * len(exif), len(exif))
        assert own in content
        content = content.replace(own, struct.pack(">HHHHII", number, 1, 0, 1, 0, 5 * len(exif)))
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"whose parts make it up once; got items of [0-9,]+ bytes in a file of"):
        read_image(path)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_bytes_of_items_are_counted_in_every_version(version: int) -> None:
    """Where the length is 0, an item goes on to the end of the file."""
    wide = "I" if version == 2 else "H"
    for length, refused in ((60, False), (2000, True), (0, True)):
        one = struct.pack(f">{wide}", 1) + (b"\0\0" if version else b"") + struct.pack(">HIH", 0, 7, 3)
        one += 3 * ((b"\0\0\0\5" if version else b"") + struct.pack(">II", 9, length))
        inside = bytes([version, 0, 0, 0, 0x44, 0x44 if version else 0x40]) + struct.pack(f">{wide}", 1) + one
        places = struct.pack(">I4s", 8 + len(inside), b"iloc") + inside
        content = struct.pack(">I4sI", 12 + len(places), b"meta", 0) + places + bytes(500)
        if refused:
            with pytest.raises(ValueError, match="items of"):
                heif_pixels(content)
        else:
            assert heif_pixels(content) == 0
