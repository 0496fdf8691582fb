"""What was recorded can be played whatever happens, and no file that was there is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import av
import pytest
from media_files import SUFFIXES, clicks, make_clip, mark_picture, number_of, read_back
from paths import HELPERS

from rtswap.core.errors import OutputError, RtswapError, UsageError
from rtswap.core.parts import OutputRequest
from rtswap.media.outputs.video import VideoWriter

RECORD = """
import sys, time
sys.path[:0] = [{tests!r}]
from media_files import mark_picture
from rtswap.core.parts import OutputRequest
from rtswap.media.outputs.video import VideoWriter
writer = VideoWriter(sys.argv[1], OutputRequest(fps=25, live=sys.argv[2] == "live", audio_from=sys.argv[3] or None))
for index in range(250):
    writer.send(mark_picture(index, (320, 240), time_s=index / 25))
    if index == 200:
        print("go", flush=True)
        time.sleep(60)
"""


def record_and_kill(path: Path, *, live: bool, audio_from: str = "") -> None:
    code = RECORD.format(tests=str(HELPERS))
    args = [sys.executable, "-c", code, str(path), "live" if live else "file", audio_from]
    with subprocess.Popen(args, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_kill_9_leaves_what_was_written_playable(tmp_path: Path, suffix: str, live: bool) -> None:
    record_and_kill(tmp_path / f"out{suffix}", live=live)
    assert not (tmp_path / f"out{suffix}").exists()
    numbers, times = read_back(tmp_path / f"out.partial{suffix}")
    assert numbers == list(range(len(numbers)))
    assert times == pytest.approx([i / 25 for i in range(len(numbers))], abs=1e-3)
    assert len(numbers) >= (175 if live else 100)


def test_kill_9_with_sound(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4", 250, audio=True)
    record_and_kill(tmp_path / "out.mp4", live=False, audio_from=str(tmp_path / "in.mp4"))
    numbers, times = read_back(tmp_path / "out.partial.mp4")
    assert len(numbers) >= 100
    assert times[0] == pytest.approx(0, abs=1e-3)
    heard = clicks(tmp_path / "out.partial.mp4")
    assert len(heard) >= 6
    assert heard == pytest.approx([0.5 * (i + 1) for i in range(len(heard))], abs=0.004)


def test_an_earlier_crash_s_recording_is_not_overwritten(tmp_path: Path) -> None:
    record_and_kill(tmp_path / "out.mp4", live=True)
    first = (tmp_path / "out.partial.mp4").read_bytes()
    writer = VideoWriter(tmp_path / "out.mp4", OutputRequest(fps=25))
    writer.send(mark_picture(0))
    writer.close()
    assert (tmp_path / "out.partial.mp4").read_bytes() == first
    assert read_back(tmp_path / "out.mp4")[0] == [0]


def test_until_it_is_closed_there_is_only_the_partial_file(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", OutputRequest(fps=25))
    writer.send(mark_picture(0))
    assert [p.name for p in tmp_path.iterdir()] == ["out.partial.mp4"]
    writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_no_picture_no_file(tmp_path: Path) -> None:
    VideoWriter(tmp_path / "out.mp4", OutputRequest(fps=25)).close()
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept_without_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        VideoWriter(path, OutputRequest(fps=25))
    assert path.read_bytes() == b"precious"
    writer = VideoWriter(path, OutputRequest(fps=25, overwrite=True))
    writer.send(mark_picture(0))
    assert path.read_bytes() == b"precious"
    writer.close()
    assert read_back(path)[0] == [0]


def test_a_file_that_appears_while_recording_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    writer = VideoWriter(path, OutputRequest(fps=25))
    writer.send(mark_picture(5))
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"out\.partial\.mp4"):
        writer.close()
    assert path.read_bytes() == b"precious"
    assert read_back(tmp_path / "out.partial.mp4")[0] == [5]


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", 3, audio=True)
    with pytest.raises(OutputError, match="is the input"):
        VideoWriter(tmp_path / "a.mp4", OutputRequest(fps=25, audio_from=str(tmp_path / "a.mp4"), overwrite=True))


@pytest.mark.parametrize(
    ("name", "codec", "error", "words"),
    [
        ("nowhere/out.mp4", "h264", OutputError, "mkdir -p"),
        ("out.mp4", "h2645", UsageError, "unknown video codec"),
        ("out.mp4", "aac", UsageError, "unknown video codec"),
        ("out.xyz", "h264", UsageError, r"\.mp4"),
        ("out", "h264", UsageError, r"\.mp4"),
        ("folder.mp4", "h264", OutputError, "folder"),
        ("a" * 300 + ".mp4", "h264", OutputError, "long"),
    ],
)
def test_what_cannot_be_recorded_is_said_at_the_start(
    tmp_path: Path, name: str, codec: str, error: type[RtswapError], words: str
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(error, match=words) as raised:
        VideoWriter(tmp_path / name, OutputRequest(fps=25, codec=codec))
    assert "\n" not in str(raised.value)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.mp4"]


def test_a_codec_the_container_does_not_take(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mov", OutputRequest(fps=25, codec="libvpx"))
    with pytest.raises(OutputError, match=r"out\.mov"):
        writer.send(mark_picture(0))
    writer.close()
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, signal, sys
sys.path[:0] = [{tests!r}]
import numpy as np
from rtswap.core.errors import OutputError
from rtswap.media.outputs.video import VideoWriter
from rtswap.core.types import MarkedImage
from rtswap.core.parts import OutputRequest
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
rng = np.random.default_rng(0)
writer = VideoWriter(sys.argv[1], OutputRequest(fps=25, live=True))
try:
    for index in range(250):
        writer.send(MarkedImage(rng.integers(0, 255, (240, 320, 3), np.uint8), index, index / 25))
    writer.close()
except OutputError as error:
    print(error)
    writer.close()
    writer.close()
    sys.exit(7)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resource limits")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_one_line_and_what_fitted_plays(tmp_path: Path, suffix: str) -> None:
    code = FULL_DISK.format(tests=str(HELPERS))
    args = [sys.executable, "-c", code, str(tmp_path / f"out{suffix}")]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "cannot write" in done.stdout
    assert done.stderr == ""
    assert [p.name for p in tmp_path.iterdir()] == [f"out.partial{suffix}"]
    with av.open(str(tmp_path / f"out.partial{suffix}")) as container:
        assert next(container.decode(video=0)).width == 320


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resource limits")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_disk_that_was_full_before_holds_no_recording(tmp_path: Path, suffix: str) -> None:
    code = FULL_DISK.format(tests=str(HELPERS)).replace("300_000", "0").replace("live=True", "live=False")
    args = [sys.executable, "-c", code, str(tmp_path / f"out{suffix}")]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7, done.stderr
    assert done.stdout.endswith("got File too large\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists() or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="ermission"):
        VideoWriter(tmp_path / "out.mp4", OutputRequest(fps=25))


def test_closed_means_closed(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", OutputRequest(fps=25))
    writer.send(mark_picture(0))
    writer.close()
    writer.close()
    with pytest.raises(OutputError, match="closed"):
        writer.send(mark_picture(1))
    assert number_of(mark_picture(7).image) == 7


def test_a_recording_whose_folder_is_gone_is_not_promised(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    writer = VideoWriter(folder / "out.mp4", OutputRequest(fps=25))
    writer.send(mark_picture(1))
    shutil.rmtree(folder)
    with pytest.raises(OutputError, match="cannot write") as found:
        writer.close()
    assert "so far" not in str(found.value)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="FFmpeg opens files by their names here")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_link_planted_before_the_first_picture_is_not_followed(suffix: str, tmp_path: Path) -> None:
    """In a folder that others can write into, until the networks are loaded."""
    own = tmp_path / "mine.txt"
    own.write_text("mine")
    writer = VideoWriter(tmp_path / f"out{suffix}", OutputRequest(fps=25))
    writer.partial_path.unlink()
    writer.partial_path.symlink_to(own)
    for index in range(3):
        writer.send(mark_picture(index, time_s=index / 25))
    with pytest.raises(OutputError, match="deleted, or replaced"):
        writer.close()
    assert own.read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="other systems do not say where an open file is")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
def test_a_recording_whose_folder_was_renamed_is_named(suffix: str, tmp_path: Path) -> None:
    folder, moved = tmp_path / "out", tmp_path / "renamed"
    folder.mkdir()
    writer = VideoWriter(folder / f"out{suffix}", OutputRequest(fps=25))
    for index in range(3):
        writer.send(mark_picture(index, time_s=index / 25))
    folder.rename(moved)
    with pytest.raises(OutputError, match="cannot write") as found:
        writer.close()
    kept = moved / f"out.partial{suffix}"
    assert f"The recording so far is in {kept}." in str(found.value)
    with av.open(str(kept)) as container:
        assert len(list(container.decode(video=0))) == 3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
@pytest.mark.parametrize("planted", ["link", "file", "folder", "nothing"])
@pytest.mark.parametrize("count", [0, 3])
def test_what_others_put_in_the_place_of_a_recording_stays_as_it_is(
    planted: str, suffix: str, count: int, tmp_path: Path
) -> None:
    """It is not given the recording's name, signed or deleted."""
    own, signed = tmp_path / f"mine{suffix}", list[Path]()
    own.write_text("mine")
    writer = VideoWriter(tmp_path / f"out{suffix}", OutputRequest(fps=25, sign=signed.append))
    for index in range(count):
        writer.send(mark_picture(index, time_s=index / 25))
    partial = writer.partial_path
    partial.unlink()
    if planted == "link":
        partial.symlink_to(own)
    elif planted == "file":
        partial.write_text("theirs")
    elif planted == "folder":
        partial.mkdir()
    there = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match="deleted, or replaced") if count else nullcontext():
        writer.close()
    assert sorted(tmp_path.iterdir()) == there
    assert own.read_text() == "mine"
    assert not signed
