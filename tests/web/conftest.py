"""Studios for the tests. Without the extra ``studio`` there are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pytest
from media_files import make_clip

from rtswap.app.config import Config
from rtswap.app.io_sections import InputConfig
from rtswap.vision.caller import caller_layers

if find_spec("aiohttp") is None:
    collect_ignore_glob = ["test_*.py"]
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from studio_client import Client
    from studio_page import OpenPage


@pytest.fixture(scope="session")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of somebody who does not exist and hardly moves, 640x360."""
    still = cv2.resize(caller_layers().still(), (640, 360), interpolation=cv2.INTER_AREA)
    path = tmp_path_factory.mktemp("clips") / "caller.mp4"
    make_clip(path, [still] * 30, fps=15)
    return path


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Client]:
    """A studio in which nothing runs."""
    from studio_client import run_studio

    with run_studio(Config(), tmp_path) as client:
        yield client


@pytest.fixture(scope="module")
def session(caller: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A studio that swaps the caller; tests of a file share it."""
    from studio_client import run_studio

    config = Config(input=InputConfig(address=str(caller)))
    with run_studio(config, tmp_path_factory.mktemp("recordings")) as client:
        client.good("POST", "/api/session", {"input": {"kind": "given"}})
        client.until(lambda status: status["figures"].get("faces"))
        yield client


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that allows its camera and microphone without asking."""
    from studio_page import launched, sync_api

    folder = tmp_path_factory.mktemp("camera")
    with (
        sync_api.sync_playwright() as playwright,
        launched(playwright.chromium, folder, "--use-fake-ui-for-media-stream") as browser,
    ):
        yield browser


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """Opens the page of a new studio."""
    from studio_client import run_studio
    from studio_page import page_of

    with ExitStack() as opened:

        def open_page(config: Config | None = None, **context: Any) -> tuple[Page, Client]:
            client = opened.enter_context(run_studio(config or Config(), tmp_path))
            page = opened.enter_context(page_of(browser, client, **context))
            return page, client

        yield open_page
