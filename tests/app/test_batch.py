"""A folder or a pattern of videos is a batch whose outputs keep the inputs' names."""

from __future__ import annotations

from pathlib import Path

import pytest
from media_files import make_clip, read_back
from ready import ready  # noqa: F401

from rtswap.commands.main import main

VERA = ["-q", "-s", "persona:vera"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two clips and a damaged one in ``clips/``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    make_clip("clips/one [1].mkv", 2)
    make_clip("clips/two.flv", 3)
    return tmp_path


@pytest.mark.parametrize("address", ["clips", "clips/", "clips/*"])
def test_every_video_is_swapped_and_keeps_its_name(folder: Path, address: str) -> None:
    assert main([*VERA, "-i", address, "-o", "out/"]) == 0
    assert {path.name for path in (folder / "out").iterdir()} == {"one [1].mkv", "one [1].c2pa", "two.mp4"}
    assert len(read_back(folder / "out/two.mp4")[0]) == 3


def test_a_damaged_video_does_not_keep_the_others_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "clips/bad.mp4").write_bytes(b"no video")
    assert main([*VERA, "-i", "clips", "-o", "out/"]) == 1
    assert "bad.mp4" in capsys.readouterr().err
    assert (folder / "out/two.mp4").exists()


def test_a_batch_never_replaces_its_inputs(folder: Path) -> None:
    (folder / "clips/two.flv").unlink()
    before = Path("clips/one [1].mkv").read_bytes()
    assert main([*VERA, "-i", "clips", "-o", "clips/", "-y"]) in (1, 2)
    assert Path("clips/one [1].mkv").read_bytes() == before


@pytest.mark.parametrize("args", ["-i clips -o one.mp4", "-i clips -o a/ -o b/", "-i clips", "-i nothing* -o out/"])
def test_what_cannot_be_a_batch_is_one_line(args: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*VERA, *args.split()]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_two_files_of_one_name_get_two_names(folder: Path) -> None:
    make_clip("clips/two.mp4", 2)
    make_clip("clips/one [1].webm", 2, codec="libvpx-vp9")
    assert main([*VERA, "-i", "clips", "-o", "out/"]) == 0
    clips = {"one [1].mkv", "one [1].webm.mp4", "two.mp4", "two.flv.mp4"}
    assert {path.name for path in (folder / "out").iterdir()} == {*clips, "one [1].c2pa"}
    assert [len(read_back(folder / "out" / name)[0]) for name in ("two.flv.mp4", "two.mp4")] == [3, 2]
