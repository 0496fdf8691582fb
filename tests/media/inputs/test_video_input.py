"""A file loses no frame, keeps order and time, comes upright, and what is damaged costs only what is damaged."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_files import all_numbers, make_clip, number_of, numbered_picture, turn_clip

from rtswap.core.errors import InputError
from rtswap.core.types import Frame
from rtswap.media.inputs.video import VideoFile


def frames_of(path: Path, events: list[str] | None = None) -> list[Frame]:
    video = VideoFile(path, on_event=events.append if events is not None else lambda event: None)
    return list(video.frames())


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.mov", "mpeg4"), ("a.avi", "mjpeg"), ("a.webm", "libvpx-vp9")],
)
def test_order_number_and_time(tmp_path: Path, name: str, codec: str) -> None:
    times = make_clip(tmp_path / name, 40, codec=codec)
    events: list[str] = []
    frames = frames_of(tmp_path / name, events)
    assert events == []
    assert all_numbers(f.image for f in frames) == list(range(40))
    assert [f.index for f in frames] == list(range(40))
    assert [f.time_s for f in frames] == pytest.approx(times, abs=1e-3)


def test_b_frames_come_in_the_order_they_are_shown(tmp_path: Path) -> None:
    make_clip(tmp_path / "b.mp4", 60, options={"bf": "3", "x264-params": "b-adapt=0"})
    assert all_numbers(f.image for f in frames_of(tmp_path / "b.mp4")) == list(range(60))


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_variable_frame_rate_is_kept(tmp_path: Path, name: str) -> None:
    times = make_clip(tmp_path / name, 30, vfr=True)
    assert [f.time_s for f in frames_of(tmp_path / name)] == pytest.approx(times, abs=1e-3)


def test_info(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", 25, fps=50, size=(96, 64), audio=True)
    info = VideoFile(tmp_path / "a.mp4").info
    assert (info.width, info.height, info.fps, info.live) == (96, 64, 50.0, False)
    assert info.frame_count == 25
    assert info.audio_path == str(tmp_path / "a.mp4")


def test_count_is_estimated_where_the_container_has_none(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mkv", 25)
    info = VideoFile(tmp_path / "a.mkv").info
    assert info.frame_count == pytest.approx(25, abs=1)
    assert info.audio_path == str(tmp_path / "a.mkv"), "it may hold other tracks"


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("codec", ["libx264", "tiff"])
def test_a_phone_video_comes_upright(tmp_path: Path, degrees: int, mirrored: bool, codec: str) -> None:
    """TIFF: FFmpeg gives each frame its EXIF, of which PyAV 18.1 does not know, as of a spatial video's views."""
    if codec == "tiff" and mirrored:
        pytest.skip("PyAV tells the rotation alone")
    picture = np.full((48, 80, 3), 128, np.uint8)
    picture[:24, :40], picture[24:, 40:], picture[24:, :40] = (0, 0, 250), (250, 0, 0), (0, 250, 0)
    make_clip(tmp_path / "r.mov", [picture] * 3, codec=codec)
    turn_clip(tmp_path / "r.mov", degrees, mirrored=mirrored)
    expected = np.rot90(picture, -degrees // 90)
    expected = expected[:, ::-1] if mirrored else expected
    video = VideoFile(tmp_path / "r.mov")
    image = next(video.frames()).image
    assert (video.info.height, video.info.width) == image.shape[:2] == expected.shape[:2]
    assert np.abs(image.astype(int) - expected).mean() < 8


@pytest.mark.parametrize(("degrees", "size"), [(0, "85x48"), (90, "48x85")])
def test_the_size_of_square_pixels_is_that_of_the_upright_picture(tmp_path: Path, degrees: int, size: str) -> None:
    """Of a film that was turned, the notice named another size than that of the pictures."""
    make_clip(tmp_path / "a.mp4", 3, options={"x264-params": "sar=4/3"})
    if degrees:
        turn_clip(tmp_path / "a.mp4", degrees)
    events: list[str] = []
    height, width = frames_of(tmp_path / "a.mp4", events)[0].image.shape[:2]
    assert f"{width}x{height}" == size
    assert events == [f"{tmp_path / 'a.mp4'}: pixels are 4:3, not square; pictures are scaled to {size}"]


@pytest.mark.parametrize("size", [(65, 49), (1278, 720), (33, 480), (2, 2)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    make_clip(tmp_path / "o.mkv", [np.full((size[1], size[0], 3), 90, np.uint8)] * 2)
    image = frames_of(tmp_path / "o.mkv")[0].image
    assert image.shape == (size[1], size[0], 3)
    assert image.flags.c_contiguous


def test_colours_come_back(tmp_path: Path) -> None:
    colours = [(10, 20, 200), (200, 30, 20), (30, 180, 40), (128, 128, 128), (255, 255, 255), (0, 0, 0)]
    make_clip(tmp_path / "c.mp4", [np.full((48, 64, 3), c, np.uint8) for c in colours], options={"crf": "5"})
    for frame, colour in zip(frames_of(tmp_path / "c.mp4"), colours, strict=True):
        assert np.abs(frame.image.reshape(-1, 3).mean(axis=0) - colour).max() < 6


@pytest.mark.parametrize("codec", ["libx264", "rawvideo", "png"])
def test_pictures_belong_to_the_receiver(tmp_path: Path, codec: str) -> None:
    """The pipeline paints into a frame: no other frame may change, and nothing of the decoder's."""
    path = tmp_path / {"libx264": "own.mkv", "rawvideo": "own.nut", "png": "own.mov"}[codec]
    if codec == "libx264":
        make_clip(path, 12)
    else:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr24" if codec == "rawvideo" else "rgb24"
            for i in range(12):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_picture(i), format="bgr24")))
            container.mux(stream.encode(None))
    kept = []
    for frame in VideoFile(path).frames():
        assert frame.image.flags.writeable
        assert number_of(frame.image) == frame.index
        frame.image[:] = 7
        kept.append(frame.image)
    assert len(kept) == 12
    assert all((image == 7).all() for image in kept)


def test_frames_that_were_passed_on_are_freed_at_once(tmp_path: Path) -> None:
    """Without waiting for the garbage collector: a 1080p frame is 9 MB."""
    make_clip(tmp_path / "a.mp4", 200)
    turn_clip(tmp_path / "a.mp4", 90)
    gc.collect()
    gc.disable()
    try:
        for _ in VideoFile(tmp_path / "a.mp4").frames():
            pass
        alive = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive < 20


def test_size_may_change_in_the_middle(tmp_path: Path) -> None:
    """Two raw H.264 streams behind one another: what a camera does that is turned while it records."""
    parts = []
    for size in ((64, 48), (128, 96)):
        make_clip(tmp_path / "part.h264", 10, size=size)
        parts.append((tmp_path / "part.h264").read_bytes())
    (tmp_path / "both.h264").write_bytes(b"".join(parts))
    frames = frames_of(tmp_path / "both.h264")
    assert [f.image.shape[1] for f in frames] == [64] * 10 + [128] * 10
    times = [f.time_s for f in frames if f.time_s is not None]
    assert len(times) == 20
    assert (np.diff(times) > 0).all()


def test_corrupt_packets_in_the_middle_cost_only_themselves(tmp_path: Path) -> None:
    path, events = tmp_path / "c.mp4", []
    make_clip(path, 60, options={"g": "10", "bf": "0", "sc_threshold": "0"})
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.pos is not None and p.size]
    data = bytearray(path.read_bytes())
    for at, size in packets[20:25]:
        data[at : at + size] = b"\xff" * size
    path.write_bytes(bytes(data))
    video = VideoFile(path, on_event=events.append)
    numbers = all_numbers(f.image for f in video.frames())
    assert set(range(20)) <= set(numbers)
    assert set(range(30, 60)) <= set(numbers)
    assert video.skipped >= 1
    assert any("damaged" in e for e in events)


@pytest.mark.parametrize(("suffix", "kept"), [(".mkv", 0.67), (".avi", 0.35), (".webm", 0.67)])
def test_a_truncated_file_gives_its_readable_frames_and_says_so(tmp_path: Path, suffix: str, kept: float) -> None:
    path, events = tmp_path / f"t{suffix}", []
    make_clip(path, 60, options={"g": "10"}, codec="libvpx-vp9" if suffix == ".webm" else "libx264")
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * kept)])
    numbers = all_numbers(f.image for f in frames_of(path, events))
    assert 20 < len(numbers) < 60
    assert numbers[:20] == list(range(20))
    assert f"{path} is cut off: {len(numbers) / 25:.1f} s of 2.4 s read" in events


def unknown_codec(path: Path) -> None:
    make_clip(path, 5)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"))


def without_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()


def only_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def cut_off(path: Path) -> None:
    make_clip(path, 20)
    path.write_bytes(path.read_bytes()[:-400])


BAD = {
    "empty": lambda p: p.write_bytes(b""),
    "text": lambda p: p.write_text("a shopping list\n" * 100),
    "zeros": lambda p: p.write_bytes(bytes(100_000)),
    "noise": lambda p: p.write_bytes(np.random.default_rng(3).bytes(50_000)),
    "folder": lambda p: p.mkdir(),
    "missing": lambda p: None,
    "unknown codec": unknown_codec,
    "no frames": without_frames,
    "only sound": only_sound,
    "index cut off": cut_off,
}


def test_a_file_that_is_closed_while_it_is_read_is_not_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ctrl-C does, from another thread."""
    make_clip(tmp_path / "a.mp4", 60)
    events: list[str] = []
    video = VideoFile(tmp_path / "a.mp4", on_event=events.append)
    monkeypatch.setattr(video, "_next", video.close)  # returns None, as at the end
    assert len(list(video.frames())) < 60
    assert events == []


@pytest.mark.parametrize("suffix", [".mp4", ".txt"])
@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_played_is_one_line(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"bad{suffix if kind in ('empty', 'text', 'zeros', 'noise') else '.mp4'}"
    BAD[kind](path)
    with pytest.raises(InputError) as error:
        frames_of(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_words_for_the_common_cases(tmp_path: Path) -> None:
    for kind, words in {
        "empty": "empty",
        "unknown codec": "codec",
        "only sound": "no video",
        "missing": "no such",
    }.items():
        path = tmp_path / f"{kind.replace(' ', '-')}.mp4"
        BAD[kind](path)
        with pytest.raises(InputError, match=words):
            VideoFile(path)


def test_close_in_the_middle_ends_the_frames(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", 30)
    video = VideoFile(tmp_path / "a.mp4")
    seen = 0
    for frame in video.frames():
        seen += 1
        assert number_of(frame.image) == frame.index
        if frame.index == 4:
            video.close()
    assert seen == 5


def test_nothing_is_written_to_the_terminal(tmp_path: Path) -> None:
    """FFmpeg's own log would break the status line."""
    make_clip(tmp_path / "a.mp4", 5)
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    data[400:500] = bytes(100)
    (tmp_path / "a.mp4").write_bytes(bytes(data))
    code = (
        "import sys; from rtswap.core.errors import InputError; from rtswap.media.inputs.video import VideoFile\n"
        "try: list(VideoFile(sys.argv[1]).frames())\nexcept InputError: pass"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.mp4")], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def outcome(path: Path) -> str | list[Frame]:
    try:
        return frames_of(path)
    except InputError as error:
        return str(error)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(path, 12, audio=True)
    return path.read_bytes()


def check_hostile(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.mp4"
    path.write_bytes(data)
    result = outcome(path)
    if isinstance(result, str):
        assert "\n" not in result
        return
    times = [f.time_s for f in result if f.time_s is not None]
    assert len(times) == len(result) > 0
    assert (np.diff(times) > 0).all()


slow = settings(max_examples=40, deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])


@slow
@given(keep=st.floats(0, 1))
def test_truncated_anywhere(tmp_path_factory: pytest.TempPathFactory, clip: bytes, keep: float) -> None:
    check_hostile(tmp_path_factory, clip[: int(len(clip) * keep)])


@slow
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=20))
def test_flipped_bits_anywhere(
    tmp_path_factory: pytest.TempPathFactory, clip: bytes, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(clip)
    for where, bit in flips:
        data[int(where * len(data))] ^= 1 << bit
    check_hostile(tmp_path_factory, bytes(data))


@slow
@given(
    data=st.binary(max_size=2000),
    head=st.sampled_from([b"", b"\0\0\0\x18ftypmp42", b"\x1aE\xdf\xa3", b"RIFF", b"FLV\1"]),
)
def test_random_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes) -> None:
    check_hostile(tmp_path_factory, head + data)
