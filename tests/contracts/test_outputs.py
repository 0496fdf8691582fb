"""The contract of every Output."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listener import free_port
from media_files import mark_picture

from rtswap.core.errors import OutputError
from rtswap.core.parts import OutputRequest, OutputSpec
from rtswap.core.plugins import built_in
from rtswap.core.protocols import Output
from rtswap.core.types import MarkedImage
from rtswap.media.outputs import open_output, window
from rtswap.media.outputs.image import ImageOutput
from rtswap.media.outputs.null import Null
from rtswap.media.outputs.stream import NetworkOutput
from rtswap.media.outputs.video import VideoWriter
from rtswap.media.outputs.virtual_camera import VirtualCamera
from rtswap.media.outputs.window import Window

Maker = Callable[[Path, pytest.MonkeyPatch], Output]


def video_mp4(folder: Path, patch: pytest.MonkeyPatch) -> Output:
    return VideoWriter(folder / "out.mp4", OutputRequest(fps=25))


def video_live_mkv(folder: Path, patch: pytest.MonkeyPatch) -> Output:
    return VideoWriter(folder / "out.mkv", OutputRequest(fps=25, live=True))


def image_numbered(folder: Path, patch: pytest.MonkeyPatch) -> Output:
    return ImageOutput(folder / "out_%05d.png", overwrite=True)


def stream_udp(folder: Path, patch: pytest.MonkeyPatch) -> Output:
    return NetworkOutput(f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}", OutputRequest(fps=25))


def null(folder: Path, patch: pytest.MonkeyPatch) -> Output:
    return Null()


class Driver:
    """A pyvirtualcam back end that takes anything: no kernel loopback device was available."""

    def __init__(self, **options: object) -> None:
        return

    def close(self) -> None:
        return

    def send(self, frame: np.ndarray) -> None:
        frame[:1] = frame[:1]  # must be writable memory of the right kind

    def device(self) -> str:
        return "fake"

    def native_fourcc(self) -> int | None:
        return None


def virtual_camera(folder: Path, patch: pytest.MonkeyPatch) -> Output:
    pyvirtualcam = pytest.importorskip("pyvirtualcam")
    patch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    pyvirtualcam.register_backend("fake", Driver)
    return VirtualCamera(fps=25)


def window_imitated(folder: Path, patch: pytest.MonkeyPatch) -> Output:
    """highgui is imitated: the real window is opened in tests/outputs/test_window.py."""
    patch.setattr(window, "available", lambda: (True, "fake"))
    for name in ("namedWindow", "resizeWindow", "imshow", "destroyWindow"):
        patch.setattr(cv2, name, lambda *args: None)
    patch.setattr(cv2, "getWindowProperty", lambda *args: 1.0)
    patch.setattr(cv2, "pollKey", lambda: -1)
    return Window(overlay=lambda: ["30 fps"])


MAKERS: dict[str, Maker] = {
    f.__name__: f
    for f in (video_mp4, video_live_mkv, image_numbered, stream_udp, null, virtual_camera, window_imitated)
}
"""All that follows is asked of each. Add an output by a function whose name begins with that of its ``SPEC``."""


def test_every_output_is_asked() -> None:
    names = [spec.name for spec in built_in("rtswap.media.outputs", OutputSpec)]
    unasked = [name for name in names if not any(maker.startswith(name.replace(" ", "_")) for maker in MAKERS)]
    assert unasked == [], "add them to MAKERS"


@pytest.fixture(params=MAKERS)
def output(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Output]:
    made = MAKERS[request.param](tmp_path, monkeypatch)
    yield made
    made.close()


def test_it_has_a_name(output: Output) -> None:
    assert output.name
    output.send(mark_picture(0))
    assert "\n" not in output.name


def test_the_picture_is_neither_changed_nor_kept(output: Output) -> None:
    for index in range(5):
        picture = mark_picture(index, time_s=index / 25)
        before = picture.image.copy()
        output.send(picture)
        assert np.array_equal(picture.image, before)
        picture.image[:] = 0


def test_read_only_pictures_and_views_are_taken(output: Output) -> None:
    large = np.zeros((100, 120, 3), np.uint8)
    view = large[5:53, 7:71]
    view.flags.writeable = False
    for index in range(3):
        output.send(MarkedImage(view, index, index / 25))


def test_any_size_may_follow_any_other(output: Output) -> None:
    for index, (width, height) in enumerate([(64, 48), (65, 49), (320, 20), (20, 320), (2, 2), (64, 48)]):
        output.send(MarkedImage(np.full((height, width, 3), 90, np.uint8), index, index / 25))


def test_times_that_repeat_or_jump_are_survived(output: Output) -> None:
    """The last safe picture is held while a camera is lost; files may have gaps."""
    for index, time_s in enumerate([0.0, 0.0, 0.04, 0.02, 7.5, 7.5, 7.6]):
        output.send(MarkedImage(mark_picture(index).image, index, 100 + time_s, time_s))


def test_close_twice_with_and_without_pictures(output: Output) -> None:
    output.send(mark_picture(0))
    output.close()
    output.close()


@pytest.mark.parametrize("kind", MAKERS)
def test_close_unused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unused = MAKERS[kind](tmp_path, monkeypatch)
    unused.close()
    unused.close()
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=6),
    times=st.lists(st.floats(-1, 100), min_size=6, max_size=6),
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_recordings_take_anything(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, sizes: list[tuple[int, int]], times: list[float]
) -> None:
    path = tmp_path_factory.mktemp("any") / f"o{suffix}"
    writer = VideoWriter(path, OutputRequest(fps=25))
    for index, ((width, height), time_s) in enumerate(zip(sizes, times, strict=False)):
        image = np.full((height, width, 3), 40 * index, np.uint8)
        writer.send(MarkedImage(image, index, 0.0, time_s))
    writer.close()
    assert path.stat().st_size > 0


@pytest.mark.skipif(sys.platform.startswith("win"), reason="paths")
@pytest.mark.parametrize("spec", ["nowhere/out.mp4", "nowhere/out.png", "vcam:/dev/video97", "tcp://127.0.0.1:1"])
def test_what_cannot_be_opened_is_an_output_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError) as error:
        open_output(spec, OutputRequest(fps=25)).send(mark_picture(0))
    assert "\n" not in str(error.value)
