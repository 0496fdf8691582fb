"""Webcam input with OpenCV; reconnects when the camera is lost.

It starts no thread: the session's input thread iterates over ``frames`` and puts every frame into a mailbox that
keeps only the newest, so the driver's buffer (one frame) is always drained.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from rtswap.core.errors import InputError
from rtswap.core.interrupts import hold_interrupts
from rtswap.core.native_logs import quiet_opencv
from rtswap.core.parts import InputRequest, InputSpec
from rtswap.core.types import Frame, Image, StreamInfo
from rtswap.media.lifetime import ClosingInput

LOST_AFTER_S = 1.0
"""A camera that delivers no frame for this long is reopened."""
FIRST_PICTURE_S = 5.0
"""Maximum seconds until a camera's first frame."""
_PAUSE_S = 0.01


class Device(Protocol):
    """The methods of ``cv2.VideoCapture`` that are used."""

    def isOpened(self) -> bool: ...
    def set(self, propId: int, value: float) -> bool: ...
    def get(self, propId: int) -> float: ...
    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, Image | None]: ...
    def release(self) -> None: ...


def open_device(index_or_path: int | str) -> Device:
    """Open ``cv2.VideoCapture`` with a backend that supports choosing the mode: V4L2, DirectShow, else OpenCV's
    default."""
    backend = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW}.get(sys.platform, cv2.CAP_ANY)
    with quiet_opencv(), hold_interrupts():
        return cv2.VideoCapture(index_or_path, backend)  # type: ignore[return-value]


class Camera(ClosingInput):
    """Camera input. Raises InputError if the camera cannot be opened at the start; later it is reopened when lost.

    ``size`` (width, height) and ``fps`` are requests; ``info`` and an event report the camera's actual mode.
    """

    def __init__(
        self,
        index_or_path: int | str,
        *,
        size: tuple[int, int] = (1280, 720),
        fps: float = 30,
        on_event: Callable[[str], None],
        open_device: Callable[[int | str], Device] = open_device,
        lost_after_s: float = LOST_AFTER_S,
        first_picture_s: float = FIRST_PICTURE_S,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__(on_event, wait)
        self.name = f"camera {index_or_path}"
        self._which, self._size, self._fps = index_or_path, size, fps
        self._open_device = open_device
        self._lost_after_s, self._first_picture_s = lost_after_s, first_picture_s
        self._device: Device | None = None
        device, image = self._start()
        if device is None or image is None:
            raise cannot_open(index_or_path)
        self._device = device
        self._info = StreamInfo(image.shape[1], image.shape[0], device.get(cv2.CAP_PROP_FPS) or fps, live=True)
        on_event(f"{self.name}: {self._mode(device, image)}")

    @property
    def info(self) -> StreamInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        """Yield every frame as it is captured, and nothing while the camera is lost. Ends only by ``close``."""
        index, seen_at = 0, time.perf_counter()
        try:
            while not self.closed.is_set():
                image, captured_at = self._read()
                if image is not None:
                    seen_at = captured_at
                    yield Frame(image, index, captured_at)
                    index += 1
                elif captured_at - seen_at > self._lost_after_s:
                    self._reopen()
                    seen_at = time.perf_counter()
                else:
                    self.closed.wait(_PAUSE_S)
        finally:
            self.close()

    def release(self) -> None:
        """As ``ClosingInput``."""
        if self._device is not None:
            self._device.release()
            self._device = None

    def _read(self) -> tuple[Image | None, float]:
        """Return (image or None, capture time in seconds), as ``read``."""
        with self.lock:
            return read(self._device) if self._device is not None else (None, time.perf_counter())

    def _start(self) -> tuple[Device | None, Image | None]:
        """Open the camera, request the mode and wait for the first frame, which is often dark and only used for its
        size."""
        device = self._open_device(self._which)
        if device.isOpened():
            request_mode(device, self._size, self._fps)
            until = time.perf_counter() + self._first_picture_s
            while time.perf_counter() < until and not self.closed.is_set():
                image, _ = read(device)
                if image is not None:
                    return device, image
                self.closed.wait(_PAUSE_S)
        device.release()
        return None, None

    def _reopen(self) -> None:
        """Retry with increasing delays until the camera delivers a frame or the input is closed."""
        for _ in self.attempts():
            with self.lock:
                self._device, image = self._start()
                if self._device is not None and image is not None:
                    self.on_event(f"{self.name} is back: {self._mode(self._device, image)}")
                    return

    def _mode(self, device: Device, image: Image) -> str:
        width, height = image.shape[1], image.shape[0]
        fps = device.get(cv2.CAP_PROP_FPS) or self._fps
        fourcc = int(device.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True).decode("latin-1")
        mode = f"{width}x{height} at {fps:g} fps" + (f" ({fourcc})" if fourcc.isalnum() else "")
        if (width, height) == self._size and abs(fps - self._fps) < 1:
            return mode
        return f"{mode}; requested {self._size[0]}x{self._size[1]} at {self._fps:g} fps"


def request_mode(device: Device, size: tuple[int, int], fps: float) -> None:
    """Request MJPG first (USB 2 is too slow for raw frames above 640x480), then size, rate and a one-frame buffer."""
    device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    device.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
    device.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    device.set(cv2.CAP_PROP_FPS, fps)
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def read(device: Device) -> tuple[Image | None, float]:
    """Read a frame; returns (BGR image or None, capture time in seconds). The time is taken before the JPEG is
    decoded. OpenCV errors (a damaged JPEG) return None."""
    try:
        grabbed = device.grab()
        captured_at = time.perf_counter()
        ok, image = device.retrieve() if grabbed else (False, None)
    except cv2.error:
        return None, time.perf_counter()
    if not ok or image is None or image.size == 0:
        return None, captured_at
    if image.ndim == 2 or image.shape[2] == 1:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    return image, captured_at


def cannot_open(index_or_path: int | str) -> InputError:
    """Return the error with the most likely cause and what to do."""
    what = f"cannot open camera {index_or_path}"
    path = Path(f"/dev/video{index_or_path}" if isinstance(index_or_path, int) else index_or_path)
    listing = "Run `rtswap cameras` to list cameras."
    if not sys.platform.startswith("linux"):
        return InputError(what, do=f"Close other programs that use it and allow camera access. {listing}")
    if not path.exists():
        return InputError(what, expected=f"a camera at {path}", got="no such device", do=listing)
    if not os.access(path, os.R_OK | os.W_OK):
        do = "Run `sudo usermod -aG video $USER`, then log in again."
        return InputError(what, expected=f"permission to use {path}", got="permission denied", do=do)
    users = ", ".join(users_of(path))
    if users:
        return InputError(what, got=f"{path} in use by {users}", do="Close that program.")
    return InputError(what, got=f"no frame from {path}", do=f"Close other programs that use it. {listing}")


def users_of(path: Path) -> list[str]:
    """Return names and process ids of the other processes that have ``path`` open, as far as /proc shows them."""
    users: list[str] = []
    real = os.path.realpath(path)
    for fds in Path("/proc").glob("[0-9]*/fd"):
        try:
            if fds.parent.name != str(os.getpid()) and any(os.path.realpath(fd) == real for fd in fds.iterdir()):
                users.append(f"{(fds.parent / 'comm').read_text().strip()} (process {fds.parent.name})")
        except OSError:
            continue
    return users


_DEVICE = re.compile(r"/dev/video\d+|/dev/v4l/.+")


def _is_number(address: str) -> bool:
    return address.isdecimal() and len(address) < 10


def _open(address: str, request: InputRequest) -> Camera:
    which = int(address) if _is_number(address) else address
    return Camera(which, size=request.size, fps=request.fps, on_event=request.on_event)


SPEC = InputSpec(
    "camera", "camera number", lambda address: _is_number(address) or bool(_DEVICE.fullmatch(address)), _open
)
