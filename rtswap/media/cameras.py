"""List the cameras of this machine and their modes.

Linux: through V4L2 ioctls, without turning a camera on; no library for this has a permissive licence, so the few
structures are parsed here. Other systems: by opening camera numbers with OpenCV.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Ioctl = Callable[[int, int, bytearray], int]
Mode = tuple[int, int, float, str]
"""(width, height, frames per second, fourcc)"""

_SYS = Path("/sys/class/video4linux")
_PROBED = 10

# linux/videodev2.h: request numbers are _IOR/_IOWR('V', number, size)
_QUERYCAP, _ENUM_FMT, _ENUM_FRAMESIZES, _ENUM_FRAMEINTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
_CAPTURE, _DEVICE_CAPS = 0x00000001, 0x80000000
_BUF_TYPE_CAPTURE = 1
_DISCRETE = 1
_MAX_ENTRIES = 64
_VIRTUAL_DRIVERS = frozenset({"v4l2 loopback", "vivid", "akvcam"})


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera and its modes."""

    index: int
    """The value of ``--cam``."""
    name: str
    path: str
    """``/dev/video0``; empty on systems without device files."""
    modes: tuple[Mode, ...] = ()
    """Largest first; empty if unknown."""
    virtual: bool = False
    """Whether a program provides it, possibly rtswap itself."""

    def __str__(self) -> str:
        """Return a line for the camera, then one per size and format with its frame rates."""
        place = f" at {self.path}" if self.path else ""
        first = f"{self.index}: {self.name}{place}{' (virtual)' if self.virtual else ''}"
        return "\n".join([first, *(f"   {mode}" for mode in self.modes_in_words())])

    def modes_in_words(self) -> tuple[str, ...]:
        """Return ``1280x720 MJPG at 30, 60 fps`` for each size and format."""
        rates: dict[tuple[int, int, str], list[str]] = {}
        for width, height, fps, fourcc in self.modes:
            rates.setdefault((width, height, fourcc), []).append(f"{fps:g}" if fps else "?")
        return tuple(f"{w}x{h} {fourcc} at {', '.join(fps)} fps" for (w, h, fourcc), fps in rates.items())


def list_cameras() -> list[CameraInfo]:
    """Return all capture devices, sorted by index. Never raises."""
    if sys.platform.startswith("linux"):
        return linux_cameras(_SYS, Path("/dev"))
    return probe_cameras()


def linux_cameras(sys_root: Path, dev_root: Path, ioctl: Ioctl | None = None) -> list[CameraInfo]:
    """Return the cameras in ``sys_root`` (/sys/class/video4linux). A device that cannot be opened or queried is
    listed without modes."""
    try:
        entries = [entry for entry in sys_root.iterdir() if entry.name.removeprefix("video").isdecimal()]
    except OSError:
        return []
    found = []
    for entry in sorted(entries, key=lambda e: int(e.name.removeprefix("video"))):
        camera = _describe(entry, dev_root / entry.name, ioctl or _system_ioctl)
        if camera is not None:
            found.append(camera)
    return found


def probe_cameras(count: int = _PROBED) -> list[CameraInfo]:
    """Open the camera numbers 0 .. count - 1 with OpenCV and read each one's current mode."""
    import cv2

    from rtswap.core.interrupts import hold_interrupts
    from rtswap.core.native_logs import quiet_opencv

    found = []
    with quiet_opencv(), hold_interrupts():
        for index in range(count):
            device = cv2.VideoCapture(index)
            if device.isOpened():
                width, height = device.get(cv2.CAP_PROP_FRAME_WIDTH), device.get(cv2.CAP_PROP_FRAME_HEIGHT)
                mode = (int(width), int(height), device.get(cv2.CAP_PROP_FPS), "")
                found.append(CameraInfo(index, f"camera {index} ({device.getBackendName()})", "", (mode,)))
            device.release()
    return found


def _describe(entry: Path, path: Path, ioctl: Ioctl) -> CameraInfo | None:
    """Return None for a device that cannot capture: a camera's metadata node, an output, a codec."""
    index = int(entry.name.removeprefix("video"))
    name = _text(entry / "name") or entry.name
    in_virtual_tree = "/devices/virtual/" in os.path.realpath(entry)
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return CameraInfo(index, name, str(path), (), in_virtual_tree)
    try:
        driver, card, captures = _capabilities(handle, ioctl)
        if not captures:
            return None
        modes = tuple(sorted(set(_modes(handle, ioctl)), key=lambda m: (-m[0] * m[1], -m[2], m[3])))
        return CameraInfo(index, card or name, str(path), modes, in_virtual_tree or driver in _VIRTUAL_DRIVERS)
    except OSError:
        return CameraInfo(index, name, str(path), (), in_virtual_tree)
    finally:
        os.close(handle)


def _capabilities(handle: int, ioctl: Ioctl) -> tuple[str, str, bool]:
    """struct v4l2_capability: driver[16], card[32], bus_info[32], version, capabilities, device_caps, reserved[3]."""
    buffer = bytearray(104)
    ioctl(handle, _QUERYCAP, buffer)
    driver, card, capabilities, of_device = struct.unpack_from("<16s32s36xII", buffer)
    flags = of_device if capabilities & _DEVICE_CAPS else capabilities
    return _string(driver), _string(card), bool(flags & _CAPTURE)


def _modes(handle: int, ioctl: Ioctl) -> Iterator[Mode]:
    for fourcc in _formats(handle, ioctl):
        name = struct.pack("<I", fourcc).decode("latin-1").strip()
        for width, height in _sizes(handle, ioctl, fourcc):
            rates = list(_rates(handle, ioctl, fourcc, width, height))
            yield from ((width, height, rate, name) for rate in rates or [0.0])


def _formats(handle: int, ioctl: Ioctl) -> Iterator[int]:
    """struct v4l2_fmtdesc: index, type, flags, description[32], pixelformat, mbus_code, reserved[3]."""
    for buffer in _entries(handle, ioctl, _ENUM_FMT, 64, _BUF_TYPE_CAPTURE):
        yield struct.unpack_from("<I", buffer, 44)[0]


def _sizes(handle: int, ioctl: Ioctl, fourcc: int) -> Iterator[tuple[int, int]]:
    """struct v4l2_frmsizeenum: index, pixel_format, type, union of {width, height} and {min, max, step} x 2."""
    for buffer in _entries(handle, ioctl, _ENUM_FRAMESIZES, 44, fourcc):
        kind, width, height_or_most_wide, _, _, most_high = struct.unpack_from("<6I", buffer, 8)
        if kind != _DISCRETE:
            yield height_or_most_wide, most_high
            return
        yield width, height_or_most_wide


def _rates(handle: int, ioctl: Ioctl, fourcc: int, width: int, height: int) -> Iterator[float]:
    """struct v4l2_frmivalenum: index, pixel_format, width, height, type, union of {num, den} seconds and a range."""
    for buffer in _entries(handle, ioctl, _ENUM_FRAMEINTERVALS, 52, fourcc, width, height):
        kind, seconds, per = struct.unpack_from("<III", buffer, 16)
        if seconds and per:
            yield round(per / seconds, 2)
        if kind != _DISCRETE:
            return


def _entries(handle: int, ioctl: Ioctl, request: int, size: int, *asked: int) -> Iterator[bytearray]:
    """Yield the structures of an enumeration, ``size`` bytes each, which begin with the index and the values
    ``asked``. Yields nothing if the driver does not support the enumeration."""
    for index in range(_MAX_ENTRIES):
        head = struct.pack(f"<{1 + len(asked)}I", index, *asked)
        buffer = bytearray(head.ljust(size, b"\0"))
        try:
            ioctl(handle, request, buffer)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return
            raise
        yield buffer


def _system_ioctl(handle: int, request: int, buffer: bytearray) -> int:
    import fcntl

    return int(fcntl.ioctl(handle, request, buffer))


def _string(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
