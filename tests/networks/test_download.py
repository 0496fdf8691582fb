"""A download is resumed where it broke off, goes on at another mirror, and is kept only with the right hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from web_servers import FileServer, run_server

from rtswap.core.errors import ModelError
from rtswap.networks.download import Wanted, fetch

CONTENT = bytes(range(256)) * 16_000  # 4 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def mirrors() -> Iterator[list[FileServer]]:
    first, second = FileServer(CONTENT), FileServer(CONTENT)
    with run_server(first), run_server(second):
        yield [first, second]


def wanted(*mirrors: FileServer, **changes: object) -> Wanted:
    values = {"name": "model", "urls": [one.url for one in mirrors], "sha256": [SHA256], "bytes": len(CONTENT)}
    return Wanted(**{**values, **changes})  # type: ignore[arg-type]


def test_interrupted_three_times_it_resumes_and_verifies(mirrors: list[FileServer], tmp_path: Path) -> None:
    path, mirror = tmp_path / "model.onnx", mirrors[0]
    mirror.most = 1_200_000
    for _ in range(3):
        with pytest.raises(ModelError, match="stopped after"):
            fetch(wanted(mirror), path)
        assert not path.exists()
    assert fetch(wanted(mirror), path) == SHA256
    assert path.read_bytes() == CONTENT
    assert mirror.requests == ["", "bytes=1200000-", "bytes=2400000-", "bytes=3600000-"]
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]


def test_the_next_mirror_continues_where_the_first_stopped(mirrors: list[FileServer], tmp_path: Path) -> None:
    mirrors[0].most = 3_000_000
    seen: list[tuple[int, int | None]] = []
    fetch(wanted(*mirrors), tmp_path / "model.onnx", lambda done, total: seen.append((done, total)))
    assert mirrors[1].requests == ["bytes=3000000-"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_server_without_ranges_starts_again(mirrors: list[FileServer], tmp_path: Path) -> None:
    mirrors[0].most = 1_000_000
    with pytest.raises(ModelError):
        fetch(wanted(mirrors[0]), tmp_path / "model.onnx")
    mirrors[0].most, mirrors[0].ranges = None, False
    assert fetch(wanted(mirrors[0]), tmp_path / "model.onnx") == SHA256


def test_a_changed_file_is_refused_and_not_kept(mirrors: list[FileServer], tmp_path: Path) -> None:
    mirrors[0].content = CONTENT[:-1] + b"x"
    with pytest.raises(ModelError, match=r"is not model: sha256 \w{12}\.\.\., not") as caught:
        fetch(wanted(mirrors[0]), tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert fetch(wanted(*mirrors), tmp_path / "model.onnx") == SHA256


def test_a_file_without_published_hash_is_taken_as_it_comes(mirrors: list[FileServer], tmp_path: Path) -> None:
    mirrors[0].most = 1_000_000
    unknown = wanted(mirrors[0], sha256=(), bytes=0)
    with pytest.raises(ModelError, match="stopped after"):
        fetch(unknown, tmp_path / "model.onnx")
    mirrors[0].most = None
    assert fetch(unknown, tmp_path / "model.onnx") == SHA256


def test_existing_bytes_are_not_requested_again(mirrors: list[FileServer], tmp_path: Path) -> None:
    (tmp_path / "model.onnx.part").write_bytes(CONTENT)
    assert fetch(wanted(mirrors[0]), tmp_path / "model.onnx") == SHA256
    assert mirrors[0].requests == []


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_in_the_place_of_a_part_is_replaced(
    mirrors: list[FileServer], ranges: bool, link: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    """Whoever can write into the cache could have any file of the user's replaced by a network."""
    own = tmp_path / "mine.txt"
    own.write_text("mine")
    mirrors[0].ranges = ranges
    link(tmp_path / "model.onnx.part", own)
    assert fetch(wanted(mirrors[0]), tmp_path / "model.onnx") == SHA256
    assert own.read_text() == "mine"
    assert mirrors[0].requests == [""]


def test_a_pipe_in_the_place_of_a_part_is_refused(mirrors: list[FileServer], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.onnx.part")
    with pytest.raises(ModelError, match="not a regular file"):
        fetch(wanted(mirrors[0]), tmp_path / "model.onnx")
