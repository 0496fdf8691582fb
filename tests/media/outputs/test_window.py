"""The preview window, really opened under Xvfb where it is installed (OpenCV's Qt has no offscreen platform)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from media_files import mark_picture
from paths import HELPERS

from rtswap.core.errors import OutputError
from rtswap.media.outputs import window
from rtswap.media.outputs.window import Window, available, draw_text

SCRIPT = """
import sys
sys.path[:0] = [{tests!r}]
import cv2
from media_files import mark_picture
from rtswap.media.outputs.window import Window, available
keys, shown = [], []
lines = ["30 fps", "age 12 ms"]
view = Window("t", on_key=keys.append, overlay=lambda: lines)
assert available()[0]
before = mark_picture(3, (320, 240)).image.copy()
for index in range(6):
    picture = mark_picture(3, (320, 240))
    view.send(picture)
    assert (picture.image == before).all(), "the overlay was drawn on the picture itself"
    lines = lines if index < 3 else []
{body}
view.close(); view.close()
print("keys", keys)
"""
FILLED = """
cv2.pollKey = lambda keys=[ord("f"), -1, ord("f")]: keys.pop(0) if keys else -1
for filled in (1, 1, 0):
    view.send(mark_picture(3, (320, 240)))
    assert cv2.getWindowProperty("t", cv2.WND_PROP_FULLSCREEN) == filled
"""
CLOSED_BY_USER = """
cv2.destroyWindow("t"); cv2.waitKey(1)
for index in range(3):
    view.send(mark_picture(index))
"""


def run(code: str, **more: str) -> subprocess.CompletedProcess[str]:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "QT_QPA_PLATFORM_PLUGIN_PATH")
    env = {k: v for k, v in os.environ.items() if k not in hidden} | more
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def screen() -> Iterator[str]:
    """The display of an X server of this test's own: two that choose a number themselves may choose the same. It does
    not begin anew, and refuse connections meanwhile, when the program that looked whether there is one goes."""
    told, number = os.pipe()
    args = ["Xvfb", "-displayfd", str(number), "-nolisten", "tcp", "-noreset", "-screen", "0", "1280x1024x24"]
    with subprocess.Popen(args, pass_fds=[number], stderr=subprocess.DEVNULL) as server:
        os.close(number)
        with os.fdopen(told) as line:
            yield f":{line.readline().strip()}"
        server.terminate()


@pytest.mark.skipif(not shutil.which("Xvfb"), reason="needs an X server: apt install xvfb")
@pytest.mark.parametrize(
    ("body", "keys"),
    [("", []), (FILLED, ["f", "f"]), (CLOSED_BY_USER, ["q"])],
    ids=["shown", "filling the screen", "closed by the user"],
)
def test_a_real_window(body: str, keys: list[str], screen: str) -> None:
    done = run(SCRIPT.format(tests=str(HELPERS), body=body), DISPLAY=screen)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"keys {keys}"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11")
def test_a_screen_that_is_not_there_does_not_end_the_process() -> None:
    """Qt aborts; a recording beside the preview would be lost."""
    code = "from rtswap.media.outputs.window import available; print(available())"
    done = run(code, DISPLAY=":987")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(False, 'no access to the display :987')"


class FakeGui:
    """The functions of highgui that are used, with a keyboard."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: list[int]) -> None:
        self.keys, self.shown, self.visible, self.destroyed = keys, [], 1.0, 0
        monkeypatch.setattr(window, "available", lambda: (True, "fake"))
        monkeypatch.setattr(cv2, "namedWindow", lambda *a: None)
        monkeypatch.setattr(cv2, "resizeWindow", lambda *a: None)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *a: self.visible)
        monkeypatch.setattr(cv2, "imshow", lambda title, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "pollKey", lambda: self.keys.pop(0) if self.keys else -1)
        monkeypatch.setattr(cv2, "destroyWindow", self.destroy)

    def destroy(self, title: str) -> None:
        self.destroyed += 1


def test_keys_arrive_as_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeGui(monkeypatch, [ord("s"), -1, ord("1"), 27, 13, 0x10FFFF + 5, 0xE9])
    keys: list[str] = []
    view = Window(on_key=keys.append)
    for index in range(8):
        view.send(mark_picture(index))
    assert keys == ["s", "1", "q", "é"]


@pytest.mark.parametrize(
    ("picture", "opened"),
    [((640, 480), (640, 480)), ((3840, 2160), (1280, 720)), ((1080, 1920), (405, 720)), ((8000, 10), (1280, 2))],
)
def test_a_window_opens_no_larger_than_the_screen(
    picture: tuple[int, int], opened: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeGui(monkeypatch, [])
    sizes: list[tuple[int, ...]] = []
    monkeypatch.setattr(cv2, "resizeWindow", lambda title, *size: sizes.append(size))
    Window().send(mark_picture(0, picture))
    assert sizes == [opened]


def test_without_overlay_there_is_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    gui = FakeGui(monkeypatch, [])
    picture = mark_picture(0)
    Window(overlay=list).send(picture)
    assert gui.shown[0] is picture.image


def test_closing_the_window_is_a_q_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gui = FakeGui(monkeypatch, [])
    keys: list[str] = []
    view = Window(on_key=keys.append)
    view.send(mark_picture(0))
    gui.visible = 0.0
    for index in range(4):
        view.send(mark_picture(index))
    assert keys == ["q"]
    assert len(gui.shown) == 1


def test_a_window_closed_while_a_frame_of_a_film_waits_stays_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """``imshow`` would open it again."""
    gui = FakeGui(monkeypatch, [])
    keys: list[str] = []
    view = Window(on_key=keys.append, paced=True)
    view.send(mark_picture(0, time_s=0.0))
    monkeypatch.setattr(cv2, "pollKey", lambda: setattr(gui, "visible", 0.0) or -1)
    view.send(mark_picture(1, time_s=3600.0))
    assert keys == ["q"]
    assert len(gui.shown) == 1


def first_bright_column(picture: np.ndarray, rows: slice, *, after: int) -> int:
    return after + int(np.argmax((picture[rows, after:] > 150).any((0, 2))))


@pytest.mark.parametrize(("height", "size"), [(480, 1), (2160, 3)])
def test_two_columns_are_aligned_and_large_pictures_have_large_text(height: int, size: int) -> None:
    image = np.zeros((height, height * 4 // 3, 3), np.uint8)
    picture = draw_text(image, ["WWWWW\tIcon", "i\tIcon"])
    wide = cv2.getTextSize("WWWWW", cv2.FONT_HERSHEY_SIMPLEX, 0.5 * size, size)[0][0] + 10 * size
    starts = [
        first_bright_column(picture, slice(8 * size + row, 8 * size + row + 20 * size), after=wide)
        for row in (0, 20 * size)
    ]
    assert starts[0] == starts[1]
    assert first_bright_column(picture, slice(28 * size, 48 * size), after=0) < wide
    assert np.flatnonzero(picture.any((1, 2))).max() == pytest.approx(40 * size, abs=6 * size)


def test_text_is_drawn_on_a_copy_and_can_be_read() -> None:
    image = np.full((240, 320, 3), 255, np.uint8)
    picture = draw_text(image, ["30.0 fps", "age p50 12 ms"])
    assert (image == 255).all()
    assert picture[:50, :60].mean() < 150
    assert picture.max() == 255
    assert (picture[100:] == 255).all()


@pytest.mark.parametrize("size", [(1, 1), (10, 3), (2000, 20)])
def test_text_on_any_size(size: tuple[int, int]) -> None:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    assert draw_text(image, ["a long line of text"] * 9).shape == image.shape


def test_no_display_is_said_before_qt_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    usable, reason = available()
    assert not usable
    assert "DISPLAY" in reason
    with pytest.raises(OutputError, match="cannot open a preview window"):
        Window()


def test_an_opencv_without_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n")
    assert available() == (False, "an OpenCV build without GUI support (opencv-python-headless)")
