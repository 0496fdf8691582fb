"""A file whose index states far more than it holds is refused before FFmpeg reads it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from media_files import make_clip

from rtswap.core.errors import InputError
from rtswap.media.inputs.video import VideoFile
from rtswap.media.mp4_tables import LEAST, refuse_many_samples

MANY = 40_000_000
PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf")


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + kind + inside


def table(kind: bytes, *numbers: int) -> bytes:
    return box(kind, struct.pack(f">{1 + len(numbers)}I", 0, *numbers))


def with_tables(data: bytes, changed: dict[bytes, bytes]) -> bytes:
    """A file, some of whose boxes have another content."""
    at, made = 0, b""
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        inside = data[at + 8 : at + size]
        made += changed.get(kind) or box(kind, with_tables(inside, changed) if kind in PARENTS else inside)
        at += size
    return made


def packed(data: bytes, *, stated: int | None = None) -> bytes:
    """A file whose index is compressed, as QuickTime did it."""

    def squeeze(index: bytes) -> bytes:
        size = len(index) if stated is None else stated
        inside = box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", size), zlib.compress(index))
        return box(b"moov", box(b"cmov", inside))

    start = data.index(b"moov") - 4
    (size,) = struct.unpack_from(">I", data, start)
    return data[:start] + squeeze(data[start : start + size]) + data[start + size :]


MANY_OF_ONE_SIZE = {b"stsz": table(b"stsz", 1, MANY)}
ATTACKS: dict[str, Callable[[bytes], bytes]] = {
    "many samples of one size": lambda data: with_tables(data, MANY_OF_ONE_SIZE),
    "edits that repeat them": lambda data: with_tables(
        data, {b"stsz": table(b"stsz", 1, 5000), b"elst": table(b"elst", 10_000, *(5000, 0, 1 << 16) * 10_000)}
    ),
    "chunks of as many": lambda data: with_tables(
        data, {b"stsc": table(b"stsc", 1, 1, 2_000_000_000, 1), b"stco": table(b"stco", 40, *[48] * 40)}
    ),
    "a fragment": lambda data: data + box(b"moof", box(b"traf", box(b"trun", struct.pack(">III", 1, MANY, 0)))),
    "a compressed index": lambda data: packed(with_tables(data, MANY_OF_ONE_SIZE)),
    "a large compressed index": lambda data: packed(data, stated=1 << 30),
    "a compressed index in another": lambda data: packed(packed(data)),
    "many compressed ones": lambda data: data + box(b"udta", (b"cmvd\0\0\1\0" + zlib.compress(b"")) * 9000),
    "an index in the wrong place": lambda data: data + box(b"udta", with_tables(data, MANY_OF_ONE_SIZE)),
    "tracks that overlap": lambda data: data + box(b"udta", *[struct.pack(">I4s", 99_999, b"trak")] * 9000),
    "tables that overlap": lambda data: data + box(b"udta", *[struct.pack(">4sII", b"stsc", 0, 9000)] * 9000),
}


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
