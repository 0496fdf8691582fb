"""A camera is asked for a mode, says which one it got, and is waited for when it is pulled out.

No camera was at hand: a double behind OpenCV's own interface takes its place, and can be made to fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtswap.core.errors import InputError
from rtswap.core.types import Image
from rtswap.media.inputs.camera import Camera, cannot_open, open_device, users_of
from rtswap.media.lifetime import ClosingInput, delays


class FakeDevice:
    """``cv2.VideoCapture`` with a script: each ``grab`` takes the next word of it; the last word goes on for ever."""

    def __init__(self, script: str = "ok", *, opens: bool = True, size: tuple[int, int] = (1280, 720)) -> None:
        self.script, self.opens, self.size = script.split(), opens, size
        self.asked: list[tuple[int, float]] = []
        self.grabs = 0
        self.released = 0

    def isOpened(self) -> bool:
        return self.opens

    def set(self, propId: int, value: float) -> bool:
        self.asked.append((propId, value))
        return True

    def get(self, propId: int) -> float:
        return {cv2.CAP_PROP_FPS: 30.0, cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG")}.get(propId, 0.0)

    def grab(self) -> bool:
        assert not self.released, "read after release"
        self.word = self.script[min(self.grabs, len(self.script) - 1)]
        self.grabs += 1
        if self.word == "error":
            raise cv2.error("corrupt JPEG data")
        return self.word != "fail"

    def retrieve(self) -> tuple[bool, Image | None]:
        if self.word == "empty":
            return True, np.zeros((0, 0, 3), np.uint8)
        if self.word == "none":
            return False, None
        shape = (self.size[1], self.size[0])
        image = np.full(shape if self.word == "grey" else (*shape, 3), self.grabs % 256, np.uint8)
        return True, image

    def release(self) -> None:
        self.released += 1


def camera(
    devices: list[FakeDevice], events: list[str], waits: list[float] | None = None, **options: object
) -> Camera:
    queue = iter(devices)
    return Camera(
        0,
        on_event=events.append,
        open_device=lambda which: next(queue),
        wait=(waits if waits is not None else []).append,
        lost_after_s=0.03,
        first_picture_s=0.05,
        **options,  # type: ignore[arg-type]
    )


def test_the_mode_is_requested_in_the_order_drivers_need() -> None:
    device = FakeDevice()
    camera([device], [], size=(1280, 720), fps=30).close()
    assert device.asked == [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FPS, 30),
        (cv2.CAP_PROP_BUFFERSIZE, 1),
    ]


def test_the_actual_mode_is_reported_not_the_requested_one() -> None:
    events: list[str] = []
    cam = camera([FakeDevice(size=(640, 480))], events, size=(1920, 1080), fps=60)
    assert (cam.info.width, cam.info.height, cam.info.fps, cam.info.live) == (640, 480, 30.0, True)
    assert events == ["camera 0: 640x480 at 30 fps (MJPG); requested 1920x1080 at 60 fps"]
    cam.close()


def test_frames_are_numbered_timed_and_owned() -> None:
    cam = camera([FakeDevice()], [])
    frames = []
    for frame in cam.frames():
        assert 0 <= time.perf_counter() - frame.captured_at < 0.5
        frames.append(frame)
        if len(frames) == 20:
            break
    assert [f.index for f in frames] == list(range(20))
    times = [f.captured_at for f in frames]
    assert times == sorted(times)
    assert all(f.time_s is None for f in frames)
    assert len({id(f.image) for f in frames}) == 20


@pytest.mark.parametrize("trouble", ["fail", "error", "empty", "none"])
def test_one_missing_frame_is_not_a_lost_camera(trouble: str) -> None:
    events: list[str] = []
    cam = camera([FakeDevice(f"ok ok {trouble} ok")], events)
    frames = cam.frames()
    assert [next(frames).index for _ in range(4)] == [0, 1, 2, 3]
    assert len(events) == 1
    cam.close()


def test_grey_cameras_give_bgr() -> None:
    cam = camera([FakeDevice("grey")], [])
    assert next(cam.frames()).image.shape == (720, 1280, 3)
    cam.close()


@pytest.mark.parametrize("trouble", ["fail", "error", "empty", "none"])
def test_a_lost_camera_is_opened_again_with_back_off(trouble: str) -> None:
    events: list[str] = []
    waits: list[float] = []
    gone = [FakeDevice(opens=False) for _ in range(5)]
    mute = FakeDevice("fail")
    first, back = FakeDevice(f"ok ok ok {trouble}"), FakeDevice(size=(640, 480))
    cam = camera([first, *gone, mute, back], events, waits)
    frames = cam.frames()
    assert [next(frames).index for _ in range(2)] == [0, 1]
    frame = next(frames)
    assert frame.index == 2
    assert frame.image.shape == (480, 640, 3)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert sum("is lost; retrying in" in e for e in events) == 7
    assert events[-1].startswith("camera 0 is back: 640x480")
    cam.close()
    frames.close()
    assert all(d.released == 1 for d in (first, *gone, mute, back))


def test_close_ends_waiting_for_a_lost_camera() -> None:
    devices = iter([FakeDevice("ok fail"), *[FakeDevice(opens=False)] * 50])
    cam = Camera(0, on_event=lambda e: None, open_device=lambda which: next(devices), lost_after_s=0.01)
    ended = threading.Event()
    thread = threading.Thread(target=lambda: (list(cam.frames()), ended.set()))
    thread.start()
    time.sleep(0.15)
    cam.close()
    thread.join(2)
    assert ended.is_set()


def test_close_twice_and_before_frames() -> None:
    device = FakeDevice()
    cam = camera([device], [])
    cam.close()
    cam.close()
    assert list(cam.frames()) == []
    assert device.released == 1


@pytest.mark.parametrize("device", [FakeDevice(opens=False), FakeDevice("fail"), FakeDevice("error")])
def test_a_camera_that_gives_nothing_at_the_start_is_an_error(device: FakeDevice) -> None:
    with pytest.raises(InputError, match="cannot open camera 0") as error:
        camera([device], [])
    assert "\n" not in str(error.value)
    assert device.released == 1


def test_a_real_camera_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="rtswap cameras"):
        Camera(97, on_event=lambda e: None, first_picture_s=0.1)
    assert capfd.readouterr() == ("", "")


def test_delays_double_up_to_eight_seconds() -> None:
    it = delays()
    assert [next(it) for _ in range(7)] == [0.5, 1, 2, 4, 8, 8, 8]


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc and /dev are Linux's")


@linux
def test_whoever_holds_the_device_is_named(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.write_bytes(b"")
    code = "import sys; f = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert any(f"process {holder.pid})" in user for user in users_of(path))
        assert f"process {holder.pid}" in str(cannot_open(str(path)))
        holder.communicate(b"")
    assert users_of(path) == []


@linux
def test_missing_and_forbidden_devices_have_different_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no such device" in str(cannot_open(str(tmp_path / "video9")))
    (tmp_path / "video0").write_bytes(b"")
    monkeypatch.setattr(os, "access", lambda *args: False)
    assert "usermod -aG video" in str(cannot_open(str(tmp_path / "video0")))


def test_open_device_is_opencv_s() -> None:
    device = open_device(97)
    assert isinstance(device, cv2.VideoCapture)
    assert not device.isOpened()


def test_a_connection_that_is_lost_at_once_is_tried_ever_more_rarely() -> None:
    """A server that sent one picture each time was asked twice a second for ever, with two lines each."""
    told: list[str] = []
    waits: list[float] = []
    input = ClosingInput(told.append, waits.append)
    input.name = "a server"
    input.release = lambda: None  # type: ignore[method-assign]
    for _ in range(4):
        next(iter(input.attempts()))
    assert waits == [0.5, 1, 2, 4]
