"""A recording keeps order, time and sound, and what was written can be played whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from media import clicks, make_clip, marked, number_of, read_back

from rtswap.errors import OutputError, RtswapError, UsageError
from rtswap.inputs.video import VideoFile
from rtswap.outputs.video import VideoWriter
from rtswap.types import Image, MarkedImage

SUFFIXES = [".mp4", ".mov", ".mkv"]


def show(image: Image, index: int, *, time_s: float | None = None, captured_at: float = 0.0) -> MarkedImage:
    return MarkedImage(image, index, captured_at, time_s)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_order_and_irregular_times_are_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    gaps = [0.04, 0.01, 0.5, 0.033, 0.0834]
    times = [0.0, *np.cumsum(gaps * 8).tolist()]
    writer = VideoWriter(path, fps=25)
    for index, time_s in enumerate(times):
        writer.send(marked(index, time_s=time_s))
    writer.close()
    numbers, written = read_back(path)
    assert numbers == list(range(len(times)))
    assert written == pytest.approx(times, abs=1.1e-3)


@pytest.mark.parametrize("live", [False, True])
def test_without_a_time_of_their_own(tmp_path: Path, live: bool) -> None:
    """Live: when the pictures were taken; else the nominal rate."""
    writer = VideoWriter(tmp_path / "o.mp4", fps=10, live=live)
    for index in range(12):
        writer.send(marked(index, fps=40))
    writer.close()
    assert read_back(tmp_path / "o.mp4")[1] == pytest.approx([i / (40 if live else 10) for i in range(12)], abs=1e-3)


def test_times_that_stand_still_or_run_back_are_made_to_increase(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        writer = VideoWriter(tmp_path / f"o{suffix}", fps=25)
        for index, time_s in enumerate([0.0, 0.0, 0.0, 0.5, 0.2, 0.6]):
            writer.send(marked(index, time_s=time_s))
        writer.close()
        numbers, times = read_back(tmp_path / f"o{suffix}")
        assert numbers == list(range(6))
        assert (np.diff(times) > 0).all()
        assert times[-1] == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg4", "av1", "vp9"])
def test_codecs(tmp_path: Path, codec: str) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", fps=25, codec=codec)
    for index in range(15):
        writer.send(marked(index, (128, 96)))
    writer.close()
    assert read_back(tmp_path / "o.mp4")[0] == list(range(15))


@pytest.mark.parametrize("live", [False, True])
def test_colours_come_back_by_a_player_s_reckoning(tmp_path: Path, live: bool) -> None:
    colours = [(10, 20, 200), (200, 30, 20), (30, 180, 40), (128, 128, 128), (250, 250, 250)]
    writer = VideoWriter(tmp_path / "o.mp4", fps=25, live=live)
    for index, colour in enumerate(colours):
        writer.send(show(np.full((720, 1280, 3), colour, np.uint8), index, captured_at=index / 25))
    writer.close()
    with av.open(str(tmp_path / "o.mp4")) as container:
        for frame, colour in zip(container.decode(video=0), colours, strict=True):
            assert (frame.colorspace, frame.color_range) == (6, 1)
            assert np.abs(frame.to_ndarray(format="bgr24").reshape(-1, 3).mean(axis=0) - colour).max() < 6


@pytest.mark.parametrize("size", [(65, 49), (65, 48), (64, 49), (1, 1), (3, 201)])
def test_odd_sizes_lose_no_pixel(tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    writer = VideoWriter(tmp_path / "o.mp4", fps=25)
    for index in range(3):
        writer.send(show(image, index))
    writer.close()
    with av.open(str(tmp_path / "o.mp4")) as container:
        frames = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]
    assert len(frames) == 3
    assert frames[0].shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
    assert np.abs(frames[0].astype(int) - 90).max() < 8


def test_a_size_that_changes_is_letterboxed(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", fps=25)
    for index, size in enumerate([(160, 120), (160, 120), (320, 120), (120, 320), (80, 60), (161, 121)]):
        writer.send(show(np.full((size[1], size[0], 3), 200, np.uint8), index))
    writer.close()
    with av.open(str(tmp_path / "o.mp4")) as container:
        frames = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]
    assert {f.shape for f in frames} == {(120, 160, 3)}
    wide, tall = frames[2], frames[3]
    assert wide[:25].mean() < 10 < 190 < wide[35:85].mean()
    assert tall[:, :50].mean() < 10 < 180 < tall[:, 65:95].mean()
    assert frames[4].mean() > 190


def test_the_picture_stays_the_sender_s(tmp_path: Path) -> None:
    """It may be painted over as soon as ``send`` is back, and is not changed by it."""
    writer = VideoWriter(tmp_path / "o.mp4", fps=25)
    for index in range(30):
        picture = marked(index)
        before = picture.image.copy()
        writer.send(picture)
        assert np.array_equal(picture.image, before)
        picture.image[:] = 0
    writer.close()
    assert read_back(tmp_path / "o.mp4")[0] == list(range(30))


def test_views_into_larger_pictures(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", fps=25)
    large = np.zeros((200, 300, 3), np.uint8)
    large[10:58, 20:84] = marked(333).image
    writer.send(show(large[10:58, 20:84], 0))
    writer.close()
    assert read_back(tmp_path / "o.mp4")[0] == [333]


# --- sound ---


def carry_over(source: Path, out: Path, *, frames: int | None = None) -> list[str]:
    """As the session does it: every frame through, the sound from the file."""
    events: list[str] = []
    video = VideoFile(source)
    writer = VideoWriter(out, fps=video.info.fps, audio_from=str(source), on_event=events.append)
    for frame in video.frames():
        if frame.index == frames:
            break
        writer.send(MarkedImage(frame.image, frame.index, frame.captured_at, frame.time_s))
    video.close()
    writer.close()
    return events


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("source", ["in.mp4:aac", "in.mkv:pcm_s16le", "in.mkv:libopus", "in.mkv:flac", "in.ts:aac"])
def test_sound_is_carried_over_in_step(tmp_path: Path, source: str, suffix: str) -> None:
    name, _, audio_codec = source.partition(":")
    make_clip(tmp_path / name, 75, audio=True, audio_codec=audio_codec)
    assert carry_over(tmp_path / name, tmp_path / f"out{suffix}") == []
    numbers, times = read_back(tmp_path / f"out{suffix}")
    assert numbers == list(range(75))
    before = np.array(clicks(tmp_path / name)) - read_back(tmp_path / name)[1][0]
    after = np.array(clicks(tmp_path / f"out{suffix}")) - times[0]
    assert len(before) == len(after) == 5
    assert np.abs(after - before).max() < 0.004


@pytest.mark.parametrize(
    ("source", "suffix", "codec"),
    [
        ("in.mp4:aac", ".mp4", "aac"),
        ("in.mkv:pcm_s16le", ".mp4", "aac"),
        ("in.mkv:libopus", ".mov", "aac"),
        ("in.mkv:libopus", ".mp4", "opus"),
    ],
)
def test_sound_is_copied_where_it_can_be(tmp_path: Path, source: str, suffix: str, codec: str) -> None:
    name, _, audio_codec = source.partition(":")
    make_clip(tmp_path / name, 25, audio=True, audio_codec=audio_codec)
    carry_over(tmp_path / name, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.audio[0].codec_context.name == codec
        assert container.streams.audio[0].codec_context.channels == 2


def test_copied_sound_is_the_same_to_the_bit(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4", 50, audio=True)
    carry_over(tmp_path / "in.mp4", tmp_path / "out.mp4")

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(audio=0) if p.pts is not None and p.pts >= 0 and p.size]

    before, after = packets(tmp_path / "in.mp4"), packets(tmp_path / "out.mp4")
    assert len(after) > 80
    assert before[: len(after)] == after


def test_sound_is_cut_at_the_last_picture(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4", 100, audio=True)
    carry_over(tmp_path / "in.mp4", tmp_path / "out.mp4", frames=40)
    with av.open(str(tmp_path / "out.mp4")) as container:
        ends = {s.type: float(s.duration * s.time_base) for s in container.streams if s.duration and s.time_base}
    assert ends["video"] == pytest.approx(1.6, abs=0.01)
    assert ends["audio"] == pytest.approx(1.6, abs=0.03)


def test_sound_and_pictures_lie_side_by_side(tmp_path: Path) -> None:
    """A player that reads from the front never has to look more than a second ahead."""
    make_clip(tmp_path / "in.mp4", 100, audio=True)
    carry_over(tmp_path / "in.mp4", tmp_path / "out.mp4")
    latest = {"video": 0.0, "audio": 0.0}
    with av.open(str(tmp_path / "out.mp4")) as container:
        packets = sorted((p for p in container.demux() if p.size), key=lambda p: p.pos or 0)
        for packet in packets[:-40]:
            latest[packet.stream.type] = float((packet.pts or 0) * packet.time_base)
            assert abs(latest["video"] - latest["audio"]) < 1.5


def test_damaged_sound_costs_the_sound_not_the_pictures(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    make_clip(path, 50, audio=True, audio_codec="flac")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(audio=0):
            if packet.size and packet.pos:
                data[packet.pos + 8 : packet.pos + packet.size] = b"\x55" * (packet.size - 8)
    path.write_bytes(bytes(data))
    events = carry_over(path, tmp_path / "out.mov")
    assert read_back(tmp_path / "out.mov")[0] == list(range(50))
    assert any("sound" in e for e in events)


@pytest.mark.parametrize("kind", ["none", "missing", "text"])
def test_no_sound_to_carry(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.mp4"
    if kind == "none":
        make_clip(path, 5)
    elif kind == "text":
        path.write_text("no sound in here\n" * 99)
    events: list[str] = []
    writer = VideoWriter(tmp_path / "out.mp4", fps=25, audio_from=str(path), on_event=events.append)
    for index in range(5):
        writer.send(marked(index))
    writer.close()
    assert read_back(tmp_path / "out.mp4")[0] == list(range(5))
    assert any("no sound" in e for e in events)


# --- what goes wrong ---

RECORD = """
import sys, time
sys.path[:0] = [{tests!r}]
from media import marked
from rtswap.outputs.video import VideoWriter
writer = VideoWriter(sys.argv[1], fps=25, live=sys.argv[2] == "live", audio_from=sys.argv[3] or None)
for index in range(250):
    writer.send(marked(index, (320, 240), time_s=index / 25))
    if index == 200:
        print("go", flush=True)
        time.sleep(60)
"""


def record_and_kill(path: Path, *, live: bool, audio_from: str = "") -> None:
    code = RECORD.format(tests=str(Path(__file__).parents[1]))
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
    writer = VideoWriter(tmp_path / "out.mp4", fps=25)
    writer.send(marked(0))
    writer.close()
    assert (tmp_path / "out.partial.mp4").read_bytes() == first
    assert read_back(tmp_path / "out.mp4")[0] == [0]


def test_until_it_is_closed_there_is_only_the_partial_file(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", fps=25)
    writer.send(marked(0))
    assert [p.name for p in tmp_path.iterdir()] == ["out.partial.mp4"]
    writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_no_picture_no_file(tmp_path: Path) -> None:
    VideoWriter(tmp_path / "out.mp4", fps=25).close()
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        VideoWriter(path, fps=25)
    assert path.read_bytes() == b"precious"
    writer = VideoWriter(path, fps=25, overwrite=True)
    writer.send(marked(0))
    assert path.read_bytes() == b"precious"
    writer.close()
    assert read_back(path)[0] == [0]


def test_a_file_that_appears_while_recording_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    writer = VideoWriter(path, fps=25)
    writer.send(marked(5))
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"out\.partial\.mp4"):
        writer.close()
    assert path.read_bytes() == b"precious"
    assert read_back(tmp_path / "out.partial.mp4")[0] == [5]


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", 3, audio=True)
    with pytest.raises(OutputError, match="is the input"):
        VideoWriter(tmp_path / "a.mp4", fps=25, audio_from=str(tmp_path / "a.mp4"), overwrite=True)


@pytest.mark.parametrize(
    ("name", "codec", "error", "words"),
    [
        ("nowhere/out.mp4", "h264", OutputError, "mkdir -p"),
        ("out.mp4", "h2645", OutputError, "no video encoder"),
        ("out.mp4", "aac", OutputError, "no video encoder"),
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
        VideoWriter(tmp_path / name, fps=25, codec=codec)
    assert "\n" not in str(raised.value)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.mp4"]


def test_a_codec_the_container_does_not_take(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mov", fps=25, codec="vp9")
    with pytest.raises(OutputError, match=r"out\.mov"):
        writer.send(marked(0))
    writer.close()
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, signal, sys
sys.path[:0] = [{tests!r}]
import numpy as np
from rtswap.errors import OutputError
from rtswap.outputs.video import VideoWriter
from rtswap.types import MarkedImage
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
rng = np.random.default_rng(0)
writer = VideoWriter(sys.argv[1], fps=25, live=True)
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
    code = FULL_DISK.format(tests=str(Path(__file__).parents[1]))
    args = [sys.executable, "-c", code, str(tmp_path / f"out{suffix}")]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "cannot write" in done.stdout
    assert done.stderr == ""
    assert [p.name for p in tmp_path.iterdir()] == [f"out.partial{suffix}"]
    with av.open(str(tmp_path / f"out.partial{suffix}")) as container:
        assert next(container.decode(video=0)).width == 320


@pytest.mark.skipif(not Path("/dev/full").exists() or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="ermission"):
        VideoWriter(tmp_path / "out.mp4", fps=25)


def test_closed_means_closed(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", fps=25)
    writer.send(marked(0))
    writer.close()
    writer.close()
    with pytest.raises(OutputError, match="closed"):
        writer.send(marked(1))
    assert number_of(marked(7).image) == 7
