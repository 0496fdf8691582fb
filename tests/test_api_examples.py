"""rtswap from Python: the page and its examples run."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from heic_sample import heic
from paths import ROOT
from people import group
from PIL import Image
from python_api import badge_of, find_changes, open_networks_once, photo, swap_pixels  # noqa: F401
from requirements import need_gradio
from scripts_loader import load_script

import rtswap
from rtswap.core.errors import UsageError
from rtswap.vision.talking_head import persona

# how it is used: docs/python.md and the examples


class Camera:
    """OpenCV's VideoCapture, for three frames."""

    def __init__(self) -> None:
        self.frames = [persona("ben") for _ in range(3)]

    def read(self) -> tuple[bool, np.ndarray | None]:
        return (True, self.frames.pop()) if self.frames else (False, None)


def test_snippets_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "album").mkdir()
    for name, of in (("me.jpg", "ada"), ("me_too.jpg", "ada"), ("you.jpg", "carl"), ("album/ben.jpg", "ben")):
        (tmp_path / name).write_bytes(photo(of).read_bytes())
    (tmp_path / "album/text.txt").write_text("no picture")
    cv2.imwrite("group.jpg", group("ben", "dan"))
    cv2.imwrite("landscape.png", np.full((200, 200, 3), 120, np.uint8))
    shown: list[np.ndarray] = []
    names = {
        "camera": Camera(),
        "show": shown.append,
        "threading": threading,
        "my_input": load_script("docs/examples/rtswap_example/drifting_picture.py").DriftingPicture(
            persona("ben"), seconds=0.7
        ),
        "my_output": load_script("docs/examples/rtswap_example/stills.py").Stills(tmp_path / "album"),
    }
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL):
        exec(block, names)
    assert len(shown) == 3
    assert (tmp_path / "swapped_ben.png").exists()
    assert find_changes(cv2.imread("group.jpg"), cv2.imread("swapped.png")).mean() > 0.03


def test_the_page_names_all_of_it() -> None:
    page = (ROOT / "docs/python.md").read_text()
    for name in dir(rtswap):
        assert f"`{name}`" in page or name == "__version__", name


def test_every_public_method_says_what_it_takes_and_raises() -> None:
    for kind in (rtswap.Swapper, rtswap.LiveSwap, rtswap.SwapSession):
        for name in ("__init__", *(name for name in dir(kind) if not name.startswith("_"))):
            assert inspect.getdoc(getattr(kind, name)), (kind, name)


def test_importing_it_is_instant() -> None:
    slow = ("numpy", "cv2", "PIL", "openvino", "rtswap.api")
    code = f"import sys, rtswap; dir(rtswap); print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_fastapi_example() -> None:
    client = TestClient(load_script("docs/examples/web/fastapi_app.py").app)
    ben = cv2.imencode(".png", persona("ben"))[1].tobytes()
    grey = cv2.imencode(".png", np.full((200, 200, 3), 120, np.uint8))[1].tobytes()

    def post(source: bytes, picture: bytes, **data: Any) -> Any:
        return client.post("/swap", files={"source": source, "picture": picture}, data=data)

    answer = post(photo("ada").read_bytes(), ben, consent=True)
    assert answer.status_code == 200
    assert (answer.headers["X-Faces-Swapped"], answer.headers["X-Faces-Covered"]) == ("1", "0")
    found = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert find_changes(persona("ben"), found)[150:400, 150:360].mean() > 0.15
    for source, picture, consent, said in (
        (photo("ada").read_bytes(), ben, False, "consent for the source"),
        (photo("ada").read_bytes(), grey, True, "no face was found"),
        (grey, ben, True, "no face found in"),
        (b"text", ben, True, "cannot decode the source"),
        (photo("ada").read_bytes(), heic(), True, "no face was found"),
    ):
        answer = post(source, picture, consent=consent)
        assert answer.status_code == 422
        assert said in answer.json()["detail"]


def test_gradio_example() -> None:
    """Its function; ``test_gradio_page`` has the page."""
    module = load_script("docs/examples/web/gradio_app.py")
    ben, ada = Image.fromarray(persona("ben")[..., ::-1]), Image.open(photo("ada"))
    found, told = module.swap_faces(ada, ben, 1.0, consent=True)
    assert told == "1 swapped"
    assert np.array_equal(found[..., ::-1], swap_pixels(persona("ben"), photo("ada")))
    with pytest.raises(UsageError, match="consent"):
        module.swap_faces(ada, ben, 1.0, consent=False)


def test_gradio_page() -> None:
    """``make test-extras`` installs Gradio, and fails where this is skipped."""
    need_gradio()
    import gradio

    page = load_script("docs/examples/web/gradio_app.py").make_page()
    answer = next(function.fn for function in page.fns.values() if function.api_name == "swap")
    ben, ada = Image.fromarray(persona("ben")[..., ::-1]), Image.open(photo("ada"))
    found, told = answer(ada, ben, 1.0, True)
    assert told == "1 swapped"
    assert found.shape == (512, 512, 3)
    with pytest.raises(gradio.Error, match="consent"):
        answer(ada, ben, 1.0, False)
