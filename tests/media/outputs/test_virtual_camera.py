"""The virtual camera, through pyvirtualcam's own interface.

No kernel loopback device was available on the machine these tests were written on, so they register a back end of
their own by ``pyvirtualcam.register_backend``: everything up to the driver is real, the driver is not.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from media_files import mark_picture, number_of

from rtswap.core.errors import OutputError
from rtswap.core.types import MarkedImage
from rtswap.media.outputs import virtual_camera
from rtswap.media.outputs.virtual_camera import VirtualCamera, available

pyvirtualcam = pytest.importorskip("pyvirtualcam")


class FakeDriver:
    """A back end as pyvirtualcam's documentation asks for; keeps what it is given."""

    opened: list[FakeDriver] = []  # noqa: RUF012 - cleared by the fixture
    broken = False

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None, **kw: object) -> None:
        if device not in (None, "/dev/video7"):
            raise RuntimeError(f"device {device} does not exist")
        self.width, self.height, self.fps = width, height, fps
        self.frames: list[np.ndarray] = []
        self.closed = 0
        FakeDriver.opened.append(self)

    def close(self) -> None:
        self.closed += 1

    def send(self, frame: np.ndarray) -> None:
        if FakeDriver.broken:
            raise RuntimeError("error writing frame: no such device")
        assert frame.ndim == 1
        assert frame.flags.c_contiguous
        self.frames.append(frame.reshape(self.height, self.width, 3).copy())

    def device(self) -> str:
        return "/dev/video7"

    def native_fourcc(self) -> int | None:
        return None


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeDriver]]:
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    pyvirtualcam.register_backend("fake", FakeDriver)
    FakeDriver.opened.clear()
    monkeypatch.setattr(FakeDriver, "broken", False)
    yield FakeDriver
    FakeDriver.opened.clear()


def test_opens_at_the_first_picture_s_size_and_sends_bgr(driver: type[FakeDriver]) -> None:
    camera = VirtualCamera(fps=25)
    assert driver.opened == []
    for index in range(5):
        camera.send(mark_picture(index, (64, 48)))
    (opened,) = driver.opened
    assert (opened.width, opened.height, opened.fps) == (64, 48, 25)
    assert [number_of(f) for f in opened.frames] == list(range(5))
    assert np.array_equal(opened.frames[3], mark_picture(3, (64, 48)).image)
    assert camera.name == "vcam:/dev/video7"
    camera.close()
    camera.close()
    assert opened.closed == 1


def test_other_sizes_are_fitted(driver: type[FakeDriver]) -> None:
    camera = VirtualCamera(fps=25)
    for size in ((65, 49), (130, 98), (65, 49)):
        camera.send(MarkedImage(np.full((size[1], size[0], 3), 80, np.uint8), 0, 0.0))
    assert [f.shape for f in driver.opened[0].frames] == [(50, 66, 3)] * 3
    camera.close()


def test_a_view_is_sent_as_it_looks(driver: type[FakeDriver]) -> None:
    large = np.zeros((100, 100, 3), np.uint8)
    large[10:58, 20:84] = mark_picture(9).image
    camera = VirtualCamera(fps=25)
    camera.send(MarkedImage(large[10:58, 20:84], 0, 0.0))
    assert number_of(driver.opened[0].frames[0]) == 9
    camera.close()


def test_by_name(driver: type[FakeDriver]) -> None:
    camera = VirtualCamera("/dev/video7", fps=25)
    camera.send(mark_picture(0))
    camera.close()
    with pytest.raises(OutputError, match=r"cannot open the virtual camera /dev/video9.*does not exist"):
        VirtualCamera("/dev/video9", fps=25).send(mark_picture(0))


def test_every_backends_reason_is_reported_with_advice(driver: type[FakeDriver]) -> None:
    class NoDriver(FakeDriver):
        def __init__(self, **kw: object) -> None:
            raise RuntimeError("this driver is not installed")

    pyvirtualcam.register_backend("fake", NoDriver)
    pyvirtualcam.register_backend("second", NoDriver)
    with pytest.raises(OutputError) as error:
        VirtualCamera(fps=25).send(mark_picture(0))
    message = str(error.value)
    assert "'fake' backend: this driver is not installed; 'second' backend: this driver" in message
    assert "\n" not in message
    if sys.platform.startswith("linux"):
        assert "modprobe v4l2loopback" in message
        assert "exclusive_caps=1" in message


def test_a_driver_that_goes_away(driver: type[FakeDriver], monkeypatch: pytest.MonkeyPatch) -> None:
    camera = VirtualCamera(fps=25)
    camera.send(mark_picture(0))
    monkeypatch.setattr(driver, "broken", True)
    with pytest.raises(OutputError, match="cannot send to"):
        camera.send(mark_picture(1))
    camera.close()


def test_it_does_not_pace(driver: type[FakeDriver], monkeypatch: pytest.MonkeyPatch) -> None:
    """The session does; a second clock would make latency grow."""
    monkeypatch.setattr(pyvirtualcam.Camera, "sleep_until_next_frame", lambda self: pytest.fail("slept"))
    camera = VirtualCamera(fps=1)
    for index in range(20):
        camera.send(mark_picture(index))
    camera.close()


def test_available(driver: type[FakeDriver]) -> None:
    assert available() == (True, "/dev/video7")
    assert driver.opened[0].closed == 1


def test_not_available_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    usable, reason = available()
    assert not usable
    assert "cannot open a virtual camera" in reason


def test_the_reason_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyvirtualcam adds a question and its documentation."""

    class Absent:
        def __init__(self, **_: object) -> None:
            raise RuntimeError("No device found. Did you load the module? See also the documentation.")

    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {"fake": Absent})
    assert available() == (False, "cannot open a virtual camera ('fake' backend: No device found)")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_vcam(name: str, *args: object, **kw: object) -> object:
        if name == "pyvirtualcam":
            raise ImportError("No module named 'pyvirtualcam'")
        return real(name, *args, **kw)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", no_vcam)
    with pytest.raises(OutputError, match=r'pip install "rtswap\[vcam\]"'):
        VirtualCamera(fps=25)
    assert available()[0] is False


@pytest.mark.skipif(sys.platform.startswith("win"), reason="no OBS is assumed to be absent there")
def test_the_real_machine_answers_without_a_traceback() -> None:
    usable, reason = available()
    assert reason
    assert usable in (True, False)


def test_the_package_is_imported_nowhere_else() -> None:
    package = Path(virtual_camera.__file__).parents[1]
    users = [p.name for p in package.rglob("*.py") if "import pyvirtualcam" in p.read_text()]
    assert users == ["virtual_camera.py"]
