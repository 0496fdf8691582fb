"""The studio's page in a real browser, whose camera is a clip. `make test-studio` sets it up; elsewhere its tests are
skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from media_files import make_clip
from studio_client import Client

from rtswap.vision.caller import caller_layers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType, Page

REQUIRED = os.environ.get("RTSWAP_REQUIRE_BROWSER") == "1"
"""As in ``make test-studio``: what is missing is a failure."""


def needed(name: str) -> ModuleType:
    """A module of the browser tests; without it they are skipped."""
    reason = f"{name} is not installed: make test-studio"
    return import_module(name) if REQUIRED else pytest.importorskip(name, reason=reason)


needed("aiortc")
sync_api, axe = needed("playwright.sync_api"), needed("axe_playwright_python.sync_playwright")
expect = sync_api.expect
CHROMIUM = os.environ.get("RTSWAP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None and not REQUIRED:
    pytest.skip("chromium is not installed: make test-studio", allow_module_level=True)
LIVE_MS = 30_000
OpenPage = Callable[..., "tuple[Page, Client]"]


@contextmanager
def launched(kind: BrowserType, folder: Path, *more: str) -> Iterator[Browser]:
    """A browser whose camera shows somebody who does not exist, moving a little. ``more``: flags; without one it does
    not ask, and allows everything."""
    size = (960, 540) if "RTSWAP_SCREENSHOT" in os.environ else (640, 360)
    still = cv2.resize(caller_layers().still(), size, interpolation=cv2.INTER_AREA)
    path = folder / "caller.mjpeg"
    moves = [np.array([[1, 0, 6 * np.sin(at / 30 * 2 * np.pi)], [0, 1, 0]], np.float32) for at in range(60)]
    frames = [cv2.warpAffine(still, move, size, borderMode=cv2.BORDER_REPLICATE) for move in moves]
    make_clip(path, frames, fps=30, codec="mjpeg", options={"qmin": "2", "qmax": "3"})
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={path}"]
    browser = kind.launch(executable_path=CHROMIUM, args=[*flags, *more])
    yield browser
    browser.close()


@contextmanager
def page_of(browser: Browser, client: Client, **context: Any) -> Iterator[Page]:
    """The page, which may say nothing in the console that is an error."""
    opened = browser.new_context(viewport={"width": 1280, "height": 900}, **context)
    page, errors = opened.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    page.goto(f"http://127.0.0.1:{client.port}/")
    page.locator(".source").first.wait_for()
    yield page
    opened.close()
    assert errors == []


def begin(page: Page) -> None:
    """Press Start, and wait for a face."""
    page.get_by_role("button", name="Start").click()
    page.locator(".face").first.wait_for(timeout=LIVE_MS)
