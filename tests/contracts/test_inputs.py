"""The contract of every Input."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from listener import free_port
from media_files import make_animation, make_clip, number_of, numbered_picture

from rtswap.core.errors import InputError
from rtswap.core.parts import InputSpec
from rtswap.core.plugins import built_in
from rtswap.core.protocols import Input
from rtswap.core.types import Frame, Image
from rtswap.media.inputs import open_input
from rtswap.media.inputs.animation import AnimationInput
from rtswap.media.inputs.camera import Camera
from rtswap.media.inputs.image import ImageInput
from rtswap.media.inputs.stream import NetworkStream
from rtswap.media.inputs.video import VideoFile

COUNT = 12


class Webcam:
    """Behind OpenCV's interface: numbered pictures at 100 a second."""

    def __init__(self) -> None:
        self.index = -2  # the first is only measured

    def isOpened(self) -> bool:
        return True

    def set(self, propId: int, value: float) -> bool:
        return True

    def get(self, propId: int) -> float:
        return 0.0

    def grab(self) -> bool:
        time.sleep(0.01)
        self.index += 1
        return True

    def retrieve(self) -> tuple[bool, Image | None]:
        return True, numbered_picture(max(0, self.index) % 1000)

    def release(self) -> None:
        return


def camera(folder: Path) -> Input:
    return Camera(0, on_event=lambda e: None, open_device=lambda which: Webcam())


def video_file(folder: Path) -> Input:
    make_clip(folder / "clip.mp4", COUNT)
    return VideoFile(folder / "clip.mp4")


def video_file_varying(folder: Path) -> Input:
    make_clip(folder / "clip.mkv", COUNT, vfr=True, audio=True)
    return VideoFile(folder / "clip.mkv")


def image_file(folder: Path) -> Input:
    cv2.imwrite(str(folder / "a.png"), numbered_picture(0))
    return ImageInput(folder / "a.png")


def image_folder(folder: Path) -> Input:
    for index in range(COUNT):
        cv2.imwrite(str(folder / f"{index}.png"), numbered_picture(index))
    return ImageInput(folder)


def animation(folder: Path) -> Input:
    make_animation(folder / "a.webp", COUNT)
    return AnimationInput(folder / "a.webp")


def stream_udp(folder: Path) -> Input:
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    threading.Thread(target=send, args=(url,), daemon=True).start()
    return NetworkStream(url, on_event=lambda e: None, read_timeout_s=2)


def send(url: str) -> None:
    """Three seconds of numbered frames."""
    with av.open(url, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(300):
            frame = av.VideoFrame.from_ndarray(numbered_picture(index), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
            time.sleep(0.01)


MAKERS: dict[str, Callable[[Path], Input]] = {
    f.__name__: f for f in (camera, video_file, video_file_varying, image_file, image_folder, animation, stream_udp)
}
"""All that follows is asked of each. Add an input by a function whose name begins with that of its ``SPEC``."""


def test_every_input_is_asked() -> None:
    names = [spec.name for spec in built_in("rtswap.media.inputs", InputSpec)]
    unasked = [name for name in names if not any(maker.startswith(name.replace(" ", "_")) for maker in MAKERS)]
    assert unasked == [], "add them to MAKERS"


LIVE = {"camera", "stream_udp"}


@pytest.fixture(params=MAKERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(kind: str, tmp_path: Path) -> Iterator[Input]:
    source = MAKERS[kind](tmp_path)
    yield source
    source.close()


def take(source: Input, most: int = COUNT) -> list[Frame]:
    frames = []
    for frame in source.frames():
        frames.append(frame)
        if len(frames) == most:
            break
    return frames


def test_info_is_true(opened: Input, kind: str) -> None:
    info = opened.info
    assert (info.width, info.height) == (64, 48)
    assert 1 <= info.fps <= 240
    assert info.live is (kind in LIVE)
    frames = take(opened)
    assert all(f.image.shape == (info.height, info.width, 3) for f in frames)
    if not info.live:
        assert info.frame_count == pytest.approx(len(frames), abs=1 if kind != "video_file_varying" else 30)


def test_order_and_numbering(opened: Input) -> None:
    frames = take(opened)
    assert [f.index for f in frames] == list(range(len(frames)))
    numbers = [number_of(f.image) for f in frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(frames)))


def test_times(opened: Input, kind: str) -> None:
    """captured_at is a perf_counter reading near now; time_s belongs to files, starts at 0 and increases."""
    frames = take(opened)
    captured = [f.captured_at for f in frames]
    assert captured == sorted(captured)
    assert abs(time.perf_counter() - captured[-1]) < 2
    times = [f.time_s for f in frames]
    if kind in LIVE:
        assert set(times) == {None}
    else:
        increasing = [t for t in times if t is not None]
        assert len(increasing) == len(times)
        assert increasing[0] == pytest.approx(0, abs=1e-3)
        assert (np.diff(increasing) > 0).all()


def test_pictures_belong_to_the_receiver(opened: Input) -> None:
    """BGR uint8, writable, in rows one after another; painting on one leaves the others alone."""
    kept = []
    for frame in opened.frames():
        image = frame.image
        assert image.dtype == np.uint8
        assert image.flags.writeable
        assert image.flags.c_contiguous
        image[:] = 3
        kept.append(image)
        if len(kept) == COUNT:
            break
    assert all((image == 3).all() for image in kept)


def test_close_twice_then_no_frames(opened: Input) -> None:
    opened.close()
    opened.close()
    assert list(opened.frames()) == []


def test_close_while_frames_are_read(opened: Input) -> None:
    seen = 0
    for _ in opened.frames():
        seen += 1
        opened.close()
    assert seen == 1


def test_close_from_another_thread(opened: Input) -> None:
    """``frames`` ends soon and without an error, wherever it was."""
    ended = threading.Event()

    def read() -> None:
        for _ in opened.frames():
            time.sleep(0.005)
        ended.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    time.sleep(0.05)
    opened.close()
    assert ended.wait(5)
    thread.join()


def test_dropping_the_iterator_frees_the_source(opened: Input) -> None:
    frames = opened.frames()
    next(frames)
    del frames
    opened.close()


@pytest.mark.parametrize(
    "spec", ["97", "nowhere.mp4", "gopher://127.0.0.1/x", "rtmp://127.0.0.1:1/x", "empty.png", "empty.mkv"]
)
def test_what_cannot_be_opened_is_an_input_error_of_one_line(tmp_path: Path, spec: str) -> None:
    for name in ("empty.png", "empty.mkv"):
        (tmp_path / name).write_bytes(b"")
    path = tmp_path / spec
    with pytest.raises(InputError) as error:
        open_input(str(path) if "." in spec and "://" not in spec else spec)
    assert "\n" not in str(error.value)
