"""Listing cameras. None was at hand: the kernel's answers are imitated, byte for byte as videodev2.h has them."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from rtswap.media import cameras
from rtswap.media.cameras import CameraInfo, linux_cameras, list_cameras, probe_cameras

MJPG, YUYV = (struct.unpack("<I", code)[0] for code in (b"MJPG", b"YUYV"))
RATES = {(1280, 720): [(1, 30), (1, 15)], (640, 480): [(1, 60), (1001, 30000)]}


class Kernel:
    """Answers the four requests for a webcam (or what ``driver`` and ``capture`` say)."""

    def __init__(self, driver: bytes = b"uvcvideo", *, capture: bool = True, stepwise: bool = False) -> None:
        self.driver, self.capture, self.stepwise = driver, capture, stepwise

    def __call__(self, handle: int, request: int, buffer: bytearray) -> int:
        os.fstat(handle)
        number = request & 0xFF
        assert len(buffer) == request >> 16 & 0x3FFF, "the size in the request number is the structure's"
        {0: self.capabilities, 2: self.formats, 74: self.sizes, 75: self.intervals}[number](buffer)
        return 0

    def capabilities(self, buffer: bytearray) -> None:
        caps = 0x84A00001
        struct.pack_into(
            "<16s32s32sIII", buffer, 0, self.driver, b"HD Webcam", b"usb-1", 1, caps, 1 if self.capture else 0
        )

    def formats(self, buffer: bytearray) -> None:
        index = struct.unpack_from("<I", buffer)[0]
        self.end_at(index, 2)
        struct.pack_into("<I", buffer, 44, (MJPG, YUYV)[index])

    def sizes(self, buffer: bytearray) -> None:
        index, fourcc = struct.unpack_from("<II", buffer)
        if self.stepwise:
            struct.pack_into("<I6I", buffer, 8, 3, 16, 1920, 8, 16, 1080, 8)
            return
        sizes = list(RATES) if fourcc == MJPG else [(640, 480)]
        self.end_at(index, len(sizes))
        struct.pack_into("<III", buffer, 8, 1, *sizes[index])

    def intervals(self, buffer: bytearray) -> None:
        index, _, width, height = struct.unpack_from("<IIII", buffer)
        rates = RATES.get((width, height), [])
        self.end_at(index, len(rates))
        struct.pack_into("<III", buffer, 16, 1, *rates[index])

    @staticmethod
    def end_at(index: int, count: int) -> None:
        if index >= count:
            raise OSError(errno.EINVAL, "end")


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    """/sys/class/video4linux with video0, video2, video10, and their device files."""
    sys_root, dev_root = tmp_path / "sys", tmp_path / "dev"
    dev_root.mkdir()
    for name in ("video0", "video2", "video10", "v4l-subdev0"):
        (sys_root / name).mkdir(parents=True)
        (sys_root / name / "name").write_text(f"{name} by sysfs\n")
        (dev_root / name).write_bytes(b"")
    return sys_root, dev_root


def test_modes_are_read_from_the_kernel(roots: tuple[Path, Path]) -> None:
    found = linux_cameras(*roots, Kernel())
    assert [c.index for c in found] == [0, 2, 10]
    assert found[0] == CameraInfo(
        0,
        "HD Webcam",
        str(roots[1] / "video0"),
        (
            (1280, 720, 30.0, "MJPG"),
            (1280, 720, 15.0, "MJPG"),
            (640, 480, 60.0, "MJPG"),
            (640, 480, 60.0, "YUYV"),
            (640, 480, 29.97, "MJPG"),
            (640, 480, 29.97, "YUYV"),
        ),
        virtual=False,
    )


def test_a_camera_in_words(roots: tuple[Path, Path]) -> None:
    lines = str(linux_cameras(*roots, Kernel())[0]).splitlines()
    assert lines[0] == f"0: HD Webcam at {roots[1] / 'video0'}"
    assert lines[1] == "   1280x720 MJPG at 30, 15 fps"
    assert len(lines) == 4


def test_nodes_that_take_no_pictures_are_left_out(roots: tuple[Path, Path]) -> None:
    assert linux_cameras(*roots, Kernel(capture=False)) == []


def test_virtual_cameras_are_flagged(roots: tuple[Path, Path]) -> None:
    assert all(c.virtual for c in linux_cameras(*roots, Kernel(b"v4l2 loopback")))


def test_continuous_sizes_give_the_largest(roots: tuple[Path, Path]) -> None:
    modes = linux_cameras(*roots, Kernel(stepwise=True))[0].modes
    assert {m[:2] for m in modes} == {(1920, 1080)}


@pytest.mark.parametrize("error", [errno.ENODEV, errno.EIO, errno.ENOTTY, errno.EBUSY])
def test_a_device_that_fails_is_listed_by_its_name(roots: tuple[Path, Path], error: int) -> None:
    def broken(handle: int, request: int, buffer: bytearray) -> int:
        raise OSError(error, os.strerror(error))

    found = linux_cameras(*roots, broken)
    assert (found[0].name, found[0].modes) == ("video0 by sysfs", ())
    assert len(found) == 3


def test_a_missing_device_file_and_ordinary_files(roots: tuple[Path, Path]) -> None:
    """The real ioctl on what is no device must not raise either."""
    (roots[1] / "video2").unlink()
    assert [c.index for c in linux_cameras(*roots)] == [0, 2, 10]


def test_none_at_all(tmp_path: Path) -> None:
    assert linux_cameras(tmp_path / "nowhere", tmp_path) == []
    assert isinstance(list_cameras(), list)


def test_probing_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    assert probe_cameras(2) == [] or Path("/dev/video0").exists()
    assert capfd.readouterr() == ("", "")


HEADER = """#include <stdio.h>
#include <stddef.h>
#include <linux/videodev2.h>
int main(void) {
  printf("%u %u %u %u %zu %zu %zu %zu\\n", (unsigned)VIDIOC_QUERYCAP, (unsigned)VIDIOC_ENUM_FMT,
    (unsigned)VIDIOC_ENUM_FRAMESIZES, (unsigned)VIDIOC_ENUM_FRAMEINTERVALS,
    offsetof(struct v4l2_capability, capabilities), offsetof(struct v4l2_fmtdesc, pixelformat),
    offsetof(struct v4l2_frmsizeenum, discrete), offsetof(struct v4l2_frmivalenum, discrete));
}"""


@pytest.mark.skipif(
    not (shutil.which("cc") and Path("/usr/include/linux/videodev2.h").exists()),
    reason="needs a C compiler and headers",
)
def test_numbers_are_the_header_s(tmp_path: Path) -> None:
    (tmp_path / "v.c").write_text(HEADER)
    subprocess.run(["cc", "-o", str(tmp_path / "v"), str(tmp_path / "v.c")], check=True)
    out = subprocess.run([str(tmp_path / "v")], capture_output=True, text=True, check=True).stdout
    numbers = [cameras._QUERYCAP, cameras._ENUM_FMT, cameras._ENUM_FRAMESIZES, cameras._ENUM_FRAMEINTERVALS]
    assert [int(word) for word in out.split()] == [*numbers, 84, 44, 12, 20]
