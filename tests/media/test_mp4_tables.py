"""A file whose index states far more than it holds is refused before FFmpeg reads it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from media_files import make_clip
from mp4_attacks import ATTACKS, FRAGMENT, box, packed, table, with_tables

from rtswap.core.errors import InputError
from rtswap.media.inputs.video import VideoFile
from rtswap.media.mp4_tables import LEAST, refuse_many_samples


def edited(data: bytes, *, handler: bytes, ticks: int = 1, more: bytes = b"") -> bytes:
    """A film whose first track has 400,000 samples and 20 edits."""
    handles = box(b"hdlr", struct.pack(">II4s", 0, 0, handler), bytes(13))
    edits = table(b"elst", 20, *(5000, 0, 1 << 16) * 20)
    tables = {b"stsz": table(b"stsz", 1, 400_000), b"stts": table(b"stts", 1, 400_000, ticks), b"elst": edits}
    return with_tables(data, {**tables, b"hdlr": handles, b"vmhd": more or box(b"smhd", bytes(8))})


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    make_clip(path, 3)
    return path


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_index_of_far_more_than_the_file_holds_is_refused(attack: Callable[[bytes], bytes], film: Path) -> None:
    film.write_bytes(attack(film.read_bytes()))
    with pytest.raises(InputError, match=r"cannot read .*film.mp4; expected a video .*; got (tables|a compressed)"):
        VideoFile(film)


def test_a_segment_of_a_playlist_is_refused_too(film: Path) -> None:
    film.write_bytes(ATTACKS["a fragment"](film.read_bytes()))
    playlist = film.with_suffix(".m3u8")
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film.name}\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError, match="tables of 40,000,003 samples"):
        VideoFile(playlist)


def index_of_fragments(*, ends_at: int, to: int, long: bool = False) -> bytes:
    """One whose first fragment begins so many bytes behind its end, and has as many; then comes another."""
    first = struct.pack(">QQ" if long else ">II", 0, to)
    rows = [struct.pack(">III", size, 1, 0) for size in (ends_at, 99)]
    return box(b"sidx", struct.pack(">III", long << 24, 1, 1), first, struct.pack(">HH", 0, 2), *rows)


@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_fragments_to_which_only_an_index_leads_count(second: bool, long: bool, film: Path) -> None:
    """FFmpeg finds them when it is positioned (``--start``)."""
    data = film.read_bytes()
    hidden = box(b"mdat", bytes(100), FRAGMENT)
    place = len(data) + 108
    leads_to = {"to": 50, "ends_at": place - 50} if second else {"to": place, "ends_at": 9}
    film.write_bytes(index_of_fragments(**leads_to, long=long) + data + hidden)
    with pytest.raises(ValueError, match="tables of 40,000,003 samples"):
        refuse_many_samples(film)
    film.write_bytes(index_of_fragments(to=0, ends_at=len(data), long=long) + data)
    refuse_many_samples(film)


def test_an_index_of_fragments_that_leads_to_thousands_of_other_boxes_is_refused(film: Path) -> None:
    data, boxes = film.read_bytes(), box(b"mdat", box(b"free") * 20_000)
    film.write_bytes(index_of_fragments(to=len(data) + 8, ends_at=1) + data + boxes)
    with pytest.raises(ValueError, match="leads to no fragments"):
        refuse_many_samples(film)
    film.write_bytes(data + box(b"udta", index_of_fragments(to=0, ends_at=1)))
    with pytest.raises(ValueError, match="within another box"):
        refuse_many_samples(film)


def test_real_files_are_read(film: Path, tmp_path: Path) -> None:
    """Among them one with a compressed index, one of whose sizes does not count, and one that is no MP4."""
    old = film.with_name("old.mov")
    old.write_bytes(packed(film.read_bytes()))
    to_the_end = film.with_name("end.mp4")
    to_the_end.write_bytes(film.read_bytes() + struct.pack(">I4s", 0, b"mdat") + b"stsz" + b"\xff" * 40)
    other = tmp_path / "film.mkv"
    other.write_bytes(b"\x1aE\xdf\xa3\x9fB\x86\x81" + b"stsz" + b"\xff" * 40)
    for path in (film, old, to_the_end, other):
        refuse_many_samples(path)
    assert len(list(VideoFile(film).frames())) == 3


def test_what_the_largest_real_films_state_is_allowed(film: Path) -> None:
    film.write_bytes(with_tables(film.read_bytes(), {b"stsz": table(b"stsz", 1, LEAST)}))
    refuse_many_samples(film)


def test_long_sound_with_edits_is_allowed(film: Path) -> None:
    """FFmpeg notes the chunks of uncompressed sound, not its samples, of which an hour has 170 million."""
    whole = film.read_bytes()
    film.write_bytes(edited(whole, handler=b"soun"))
    refuse_many_samples(film)


@pytest.mark.parametrize(
    "other",
    [
        {"handler": b"vide"},
        {"handler": b"text"},
        {"handler": b"soun", "ticks": 2},
        {"handler": b"soun", "more": table(b"stts", 1, 400_000, 2)},
        {"handler": b"soun", "more": box(b"hdlr", bytes(8), b"vide", bytes(13))},
        {"handler": b"text", "more": box(b"free", box(b"hdlr", bytes(8), b"soun", bytes(13)))},
    ],
)
def test_what_only_looks_like_sound_is_not(other: dict[str, Any], film: Path) -> None:
    film.write_bytes(edited(film.read_bytes(), **other))
    with pytest.raises(ValueError, match="tables of 8,000,000 samples"):
        refuse_many_samples(film)
