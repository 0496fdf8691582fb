"""Virtual camera output with pyvirtualcam (optional; GPL-2.0, so only installed on request).

Linux: the kernel module v4l2loopback. Windows and macOS: OBS Studio's virtual camera.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from rtswap.core.errors import OutputError
from rtswap.core.isolation import pip_install
from rtswap.core.parts import OutputSpec
from rtswap.core.types import Image, MarkedImage
from rtswap.media.fitting import Fitter

if TYPE_CHECKING:
    from types import ModuleType

LOAD_MODULE = 'sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label="rtswap"'
"""exclusive_caps: browsers ignore devices that are also listed as outputs."""
INSTALL_PACKAGE = pip_install("rtswap[vcam]")


class VirtualCamera:
    """Output to a virtual camera. Opens at the first frame, which sets its size; raises OutputError with every
    backend's reason.

    ``name``: a device (``/dev/video2``) or camera name; None: the first free one. It never sleeps: the session sets
    the frame rate.
    """

    def __init__(self, name: str | None = None, *, fps: float) -> None:
        self._device, self._fps = name or None, fps
        self._module = _load()
        self._camera: Any = None
        self._fitter: Fitter | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return f"vcam:{self._camera.device if self._camera is not None else self._device or 'first free'}"

    def send(self, image: MarkedImage) -> None:
        with self._lock:
            if self._closed:
                raise OutputError(f"{self.name} is closed", got="another frame")
            if self._fitter is None:
                fitter = Fitter(image.image)
                self._camera = _open(self._module, fitter.width, fitter.height, self._fps, self._device)
                self._fitter = fitter
            self._deliver(self._fitter.fit(image.image, image.least_scale))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._camera is not None:
                camera, self._camera = self._camera, None
                camera.close()

    def _deliver(self, image: Image) -> None:
        try:
            self._camera.send(np.ascontiguousarray(image))
        except (RuntimeError, OSError, ValueError) as error:
            do = "Check that the driver is still loaded, then restart rtswap."
            raise OutputError(f"cannot send to {self.name}", got=_one_line(error), do=do) from None


def available(*, size: tuple[int, int] = (1280, 720), fps: float = 30) -> tuple[bool, str]:
    """Open a virtual camera briefly. Returns (usable, device name or the reason why not)."""
    try:
        camera = _open(_load(), *size, fps, None)
    except OutputError as error:
        return False, f"{error.what} ({error.got.partition('. ')[0]})"
    device = str(camera.device)
    camera.close()
    return True, device


def install_hint() -> str:
    """Return what to install on this system, in one line."""
    if sys.platform.startswith("linux"):
        return f"Install v4l2loopback (apt install v4l2loopback-dkms), then: {LOAD_MODULE}"
    if sys.platform == "darwin":
        return "Install OBS Studio 30 or later, start its virtual camera once and stop it again."
    return "Install OBS Studio 26 or later, which includes a virtual camera."


def _load() -> ModuleType:
    try:
        import pyvirtualcam
    except ImportError as error:
        do = f"{INSTALL_PACKAGE}. {install_hint()}"
        raise OutputError(
            "cannot open a virtual camera", expected="the package pyvirtualcam", got=_one_line(error), do=do
        ) from None
    module: ModuleType = pyvirtualcam
    return module


def _open(module: ModuleType, width: int, height: int, fps: float, device: str | None) -> Any:
    """Open a virtual camera. pyvirtualcam tries its backends in turn and raises one RuntimeError with a line for each
    failure; it becomes an OutputError."""
    try:
        return module.Camera(width, height, fps, fmt=module.PixelFormat.BGR, device=device)
    except (RuntimeError, OSError, ValueError) as error:
        what = f"cannot open the virtual camera {device}" if device else "cannot open a virtual camera"
        raise OutputError(what, got=_one_line(error), do=install_hint()) from None


def _one_line(error: Exception) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip()) or type(error).__name__


SPEC = OutputSpec(
    "virtual camera",
    "vcam[:name]",
    lambda address: address.partition(":")[0] == "vcam",
    lambda address, request: VirtualCamera(address.partition(":")[2] or None, fps=request.fps),
)
