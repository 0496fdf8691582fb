"""What arrives bit by bit is checked as files are: before FFmpeg reads an index that states too much."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from media_files import all_numbers, make_clip
from mp4_attacks import ATTACKS, FRAGMENT, MANY_OF_ONE_SIZE, box, with_tables
from web_servers import FileServer, run_server, serve_folder

from rtswap.core.errors import InputError
from rtswap.media.checked_boxes import LONGEST, CheckedBoxes
from rtswap.media.inputs.stream import NetworkStream
from rtswap.media.inputs.video import VideoFile

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    make_clip(path, 3)
    return path


@pytest.fixture
def parts(tmp_path: Path) -> tuple[bytes, list[bytes]]:
    """The beginning of a film in fragments, and each of its fragments."""
    make_clip(tmp_path / "whole.mp4", 15, options={"g": "5", "bf": "0"})
    path = tmp_path / "parts.mp4"
    with av.open(str(tmp_path / "whole.mp4")) as whole, av.open(str(path), "w", container_options=FRAGMENTED) as made:
        stream = made.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    data = path.read_bytes()
    begins = [found.start() - 4 for found in re.finditer(b"moof", data)]
    return data[: begins[0]], [data[begin:end] for begin, end in zip(begins, [*begins[1:], None], strict=True)]


@contextmanager
def served(data: bytes, *, ranges: bool = True) -> Iterator[str]:
    server = FileServer(data)
    server.ranges = ranges
    with run_server(server):
        yield server.url


def read(address: str) -> list[int]:
    """The numbers of the frames of a file or address."""
    found = NetworkStream(address, on_event=lambda event: None) if "://" in address else VideoFile(Path(address))
    return all_numbers(frame.image for frame in found.frames())


def refusal(address: str) -> str:
    """Why it is not opened."""
    with pytest.raises(InputError) as raised:
        read(address)
    return str(raised.value)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_film_behind_http_is_refused(attack: Callable[[bytes], bytes], ranges: bool, film: Path) -> None:
    with served(attack(film.read_bytes()), ranges=ranges) as url:
        assert any(words in refusal(url) for words in ("got tables", "got a compressed index"))


def playlist(folder: Path, parts: dict[str, bytes], before: str = "") -> str:
    """A playlist of these, of which the first is the beginning."""
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    beginning, *rest = parts
    lines = [
        f'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI="{beginning}"',
        before,
        *(f"#EXTINF:1,\n{n}" for n in rest),
    ]
    (folder / "film.m3u8").write_text("\n".join([line for line in lines if line] + ["#EXT-X-ENDLIST\n"]))
    return str(folder / "film.m3u8")


def test_a_playlist_of_fragments_is_read(parts: tuple[bytes, list[bytes]], tmp_path: Path) -> None:
    first, rest = parts
    path = playlist(tmp_path, {"first.mp4": first} | {f"{number}.m4s": part for number, part in enumerate(rest)})
    assert read(path) == list(range(15))
    with serve_folder(tmp_path) as url:
        assert read(f"{url}/film.m3u8") == list(range(15))


def test_no_box_of_a_playlist_reaches_into_the_next_part(parts: tuple[bytes, list[bytes]], tmp_path: Path) -> None:
    """FFmpeg reads on there as in one file, where others begin than in the part alone."""
    first, rest = parts
    for cut in (struct.pack(">I4s", 108, b"free"), b"\0\0\0"):
        path = playlist(tmp_path, {"first.mp4": first, "0.m4s": rest[0] + cut, "1.m4s": bytes(100) + FRAGMENT})
        assert "a part that ends within a box" in refusal(path)
        with serve_folder(tmp_path) as url:
            assert "a part that ends within a box" in refusal(f"{url}/film.m3u8")


def test_parts_that_are_encrypted_are_checked(film: Path, tmp_path: Path) -> None:
    """A key, which is read as a part is, begins no box, whatever it looks like."""
    data = with_tables(film.read_bytes(), MANY_OF_ONE_SIZE)
    for key, content, expected in ((bytes(16), data, "tables of"), (b"\0\0\1\0" * 4, film.read_bytes(), "")):
        size = 16 - len(content) % 16
        cipher = Cipher(algorithms.AES128(key), modes.CBC(bytes(15) + b"\1")).encryptor()
        (tmp_path / "key").write_bytes(key)
        (tmp_path / "0.mp4").write_bytes(cipher.update(content + bytes([size]) * size) + cipher.finalize())
        path = tmp_path / "film.m3u8"
        lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:1")
        path.write_text(
            "\n".join((*lines, '#EXT-X-KEY:METHOD=AES-128,URI="key"', "#EXTINF:1,", "0.mp4", "#EXT-X-ENDLIST\n"))
        )
        if expected:
            assert expected in refusal(str(path))
        else:
            assert read(str(path)) == list(range(3))


class Lying(io.BytesIO):
    """Sends something else when it is asked again."""

    def __init__(self, first: bytes, second: bytes) -> None:
        super().__init__(first)
        self._second = second

    def seek(self, offset: int, whence: int = 0) -> int:
        super().seek(0)
        self.write(self._second)
        return super().seek(offset, whence)


def test_a_server_that_sends_another_index_at_the_second_time_is_refused(film: Path) -> None:
    data = film.read_bytes()
    file = CheckedBoxes(Lying(data, with_tables(data, MANY_OF_ONE_SIZE)))
    while file.read(1000):
        pass
    file.seek(data.index(b"moov") - 4)
    with pytest.raises(OSError, match="tables of"):
        file.read(1000)


def test_what_a_server_says_of_its_length_is_not_believed_for_ever(film: Path) -> None:
    file = CheckedBoxes(io.BytesIO(with_tables(film.read_bytes(), MANY_OF_ONE_SIZE)), length=10**15)
    with pytest.raises(OSError, match="tables of"):
        file.read(1 << 20)


def test_what_is_read_is_the_file(film: Path) -> None:
    """Whatever the size of the pieces, and wherever it is positioned."""
    data = film.read_bytes()
    for size in (1, 7, 1000, 1 << 20):
        file = CheckedBoxes(io.BytesIO(data))
        for begin in (0, 40, len(data) - 20, 3):
            assert file.seek(begin) == file.tell() == begin
            found = b""
            while more := file.read(size):
                found += more
            assert found == data[begin:]
        assert file.seek(-5, 2) == len(data) - 5
        assert file.seek(2, 1) == len(data) - 3
        assert file.read(9) == data[-3:]


def test_a_box_of_another_kind_has_any_length() -> None:
    """Only what has tables is read ahead; an index of more than is reasonable is refused."""
    data = box(b"ftyp") + struct.pack(">I4sQ", 1, b"mdat", 1 << 40) + bytes(100)
    assert CheckedBoxes(io.BytesIO(data)).read(1000) == data
    index = struct.pack(">I4s", LONGEST + 100, b"moov") + bytes(LONGEST + 92)
    with pytest.raises(OSError, match="an index of more than"):
        CheckedBoxes(io.BytesIO(index)).read(1000)
