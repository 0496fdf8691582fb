"""Preview window with OpenCV: keys, and overlay text that is not part of the other outputs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from rtswap.core.errors import OutputError
from rtswap.core.isolation import python
from rtswap.core.parts import OutputRequest, OutputSpec
from rtswap.core.types import Image, MarkedImage

_ESCAPE = 27
KEY_S = 0.02
"""Interval at which keys are read while a frame waits."""
LATE_S = 0.1
"""Delay of a frame after which the file goes on later, instead of catching up."""
_PROBE_S = 10.0
_MOST_PX = 1280, 720
"""Fits the screens of small laptops."""
_FONT, _LINE_PX, _MARGIN_PX = cv2.FONT_HERSHEY_SIMPLEX, 20, 8
_ROWS = 720
"""Rows of a picture up to which the text has its usual size."""


class Window:
    """Output to a window. Call everything but the constructor from one thread (macOS: the main thread).

    ``on_key`` receives each key as one character; closing the window or Esc sends ``q``. ``f`` also fills the screen,
    or ends that. ``overlay`` returns lines of
    text, drawn on a copy of the frame; if empty, nothing is drawn or copied. ``paced``: frames are shown at their own
    times, ``time_s``. Raises OutputError if no window can be opened.
    """

    def __init__(
        self,
        title: str = "rtswap",
        *,
        on_key: Callable[[str], None] = lambda key: None,
        overlay: Callable[[], Sequence[str]] | None = None,
        paced: bool = False,
    ) -> None:
        usable, reason = available()
        if not usable:
            do = "Use --output with a file, vcam or URL instead."
            raise OutputError("cannot open a preview window", got=reason, do=do)
        self._title, self._on_key, self._overlay = title, on_key, overlay
        self._open = self._closed = False
        self._pace = Pace() if paced else None

    @property
    def name(self) -> str:
        return "window"

    def send(self, image: MarkedImage) -> None:
        """Show a frame. When the user closes the window ``on_key('q')`` is called, and later frames are ignored."""
        if self._closed:
            return
        try:
            if not self._open:
                self._show_window(image)
            elif self._closed_before(image):
                self.close()
                self._on_key("q")
                return
            lines = self._overlay() if self._overlay is not None else ()
            cv2.imshow(self._title, draw_text(image.image, lines) if lines else image.image)
            self._pass_on(cv2.pollKey())
        except cv2.error as error:
            raise OutputError("the preview window failed", got=str(error.err)) from None

    def close(self) -> None:
        if self._open and not self._closed:
            try:
                cv2.destroyWindow(self._title)
                cv2.pollKey()
            except cv2.error:
                pass  # the user has already closed it
        self._closed = True

    def _closed_by_user(self) -> bool:
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # Qt raises if it was the last window
            return True

    def _closed_before(self, image: MarkedImage) -> bool:
        """Wait until a frame is due; whether the user closed the window until then: ``cv2.imshow`` would open it
        again."""
        while not (closed := self._closed_by_user()) and (wait_s := self._wait_s(image)) > 0:
            self._pass_on(cv2.pollKey())
            time.sleep(min(wait_s, KEY_S))
        return closed

    def _wait_s(self, image: MarkedImage) -> float:
        return 0.0 if self._pace is None else self._pace.wait_s(image.time_s, time.perf_counter())

    def _show_window(self, image: MarkedImage) -> None:
        self._wait_s(image)  # the film begins now
        height, width = image.image.shape[:2]
        cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.resizeWindow(self._title, *fitting_size(width, height))
        self._open = True

    def _fill_screen(self) -> None:
        """Fill the screen, or return to a window of its own."""
        how = cv2.WND_PROP_FULLSCREEN
        full = cv2.getWindowProperty(self._title, how) == cv2.WINDOW_FULLSCREEN
        cv2.setWindowProperty(self._title, how, cv2.WINDOW_NORMAL if full else cv2.WINDOW_FULLSCREEN)

    def _pass_on(self, code: int) -> None:
        if code == ord("f"):
            self._fill_screen()
        if code == _ESCAPE:
            self._on_key("q")
        elif 0 <= code < 0x110000 and chr(code).isprintable():
            self._on_key(chr(code))


def fitting_size(width: int, height: int) -> tuple[int, int]:
    """Return the size at which a window opens: that of the pictures, or less, so that a 4K or an upright film is not
    larger than the screen, whose size OpenCV does not tell."""
    scale = min(1.0, _MOST_PX[0] / width, _MOST_PX[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


class Pace:
    """When to show the frames of a file: at the speed of its own times. After a delay it goes on from there, not
    faster."""

    def __init__(self) -> None:
        self._zero_s: float | None = None
        """Time on the clock at which the file would have begun."""

    def wait_s(self, time_s: float | None, now: float) -> float:
        """Return the seconds until a frame is due, at most 0 if it is. ``now``: seconds on any clock."""
        if time_s is None:
            return 0.0
        if self._zero_s is None or now - time_s - self._zero_s > LATE_S:
            self._zero_s = now - time_s
        return self._zero_s + time_s - now


def draw_text(image: Image, lines: Sequence[str]) -> Image:
    """Return a copy with the lines in the upper left corner on a darkened strip, larger in pictures above 720 rows.
    What follows a tab is in a second column. ASCII only, as is OpenCV's font."""
    picture = image.copy()
    size = max(1.0, picture.shape[0] / _ROWS)
    margin, line_px, weight = round(_MARGIN_PX * size), round(_LINE_PX * size), round(size)
    rows = [line.split("\t", 1) for line in lines]

    def width(text: str) -> int:
        return int(cv2.getTextSize(text, _FONT, 0.5 * size, weight)[0][0])

    column = max((width(row[0]) + margin for row in rows if row[1:]), default=0)
    right = max((column + width(row[1]) if row[1:] else width(row[0]) for row in rows), default=0)
    strip = picture[: 2 * margin + line_px * len(lines), : 2 * margin + right]
    np.right_shift(strip, 1, out=strip)
    for number, row in enumerate(rows, 1):
        y = margin + line_px * number - round(6 * size)
        for x, text in zip((margin, margin + column), row, strict=False):
            cv2.putText(picture, text, (x, y), _FONT, 0.5 * size, (255, 255, 255), weight, cv2.LINE_AA)
    return picture


def available() -> tuple[bool, str]:
    """Return (usable, GUI toolkit or the reason why not).

    If Qt cannot connect to the display it aborts the process, and a recording with it; so on Linux a child process
    tries first (0.4 s).
    """
    gui = _gui()
    if not gui:
        return False, "an OpenCV build without GUI support (opencv-python-headless)"
    if not sys.platform.startswith("linux"):
        return True, gui
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not display:
        return False, "no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    if not _opens_elsewhere():
        return False, f"no access to the display {display}"
    return True, f"{gui} on {display}"


def _opens_elsewhere() -> bool:
    code = "import cv2; cv2.namedWindow('rtswap', cv2.WINDOW_NORMAL)"
    try:
        done = subprocess.run(python(code), capture_output=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _gui() -> str:
    """Return OpenCV's GUI toolkit: ``QT5``, ``GTK3``, ``WIN32UI``, ``COCOA`` ...; empty if built without one."""
    for line in cv2.getBuildInformation().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "GUI":
            return "" if value.strip() in ("", "NONE") else value.strip()
    return ""


def _open(_: str, request: OutputRequest) -> Window:
    return Window(on_key=request.on_key, overlay=request.overlay, paced=request.paced)


SPEC = OutputSpec("window", "window", lambda address: address == "window", _open)
