"""Isolation of every test: the user's own files and settings are neither read nor written nor shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from requirements import need_cuda, need_tensorrt

from rtswap.core.model_rows import forget_model_rows

if TYPE_CHECKING:
    from rtswap.engines.tensorrt.module import TensorRt

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # tests import ONNX Runtime on their own, too
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

settings.register_profile("same", derandomize=True, print_blob=True, deadline=None)
settings.register_profile("search", print_blob=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
"""``make test`` tries the same examples every time, so that a change is judged by what it changed; ``make fuzz``
tries others every time, to find what nobody thought of. Neither is timed: a busy machine is no fault."""


LONG = (
    "scenes/test_battery.py", "commands/evaluate/test_eval_study.py", "test_end_to_end.py",
    "security/test_no_calls_home.py", "app/test_batch.py", "commands/extract/test_extract_run.py",
    "commands/inspect/test_inspect.py", "app/test_swap_rules.py", "media/test_playback.py",
    "web/test_studio_session.py",
)  # fmt: skip
"""Files that take ten seconds and more. They run first: at the end, one worker would wait for the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def is_short(item: pytest.Item) -> bool:
        return not item.path.as_posix().endswith(LONG)

    items.sort(key=is_short)


@pytest.fixture(autouse=True, scope="session")
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Configuration and state lie in a folder of this run. The cache of networks stays the user's: it is checked
    by hash, and converting it for every run would be slow."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        patch.setenv("RTSWAP_MODELS", str(home / "models"))
        patch.delenv("NO_COLOR", raising=False)
        yield home


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of imported models, empty and of this test alone."""
    monkeypatch.setenv("RTSWAP_MODELS", str(tmp_path / "models"))
    forget_model_rows()
    yield tmp_path / "models"
    forget_model_rows()


@pytest.fixture(scope="module")
def one_thread() -> None:
    """Torch on one thread: several wait for each other more than they save on small pictures."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def without_a_gpu(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    """What runs on a card runs in torch on the CPU."""
    from rtswap.gpu import card

    monkeypatch.setattr(card, "DEVICE", "cpu")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session's main thread looks more often, and waits less long for what hangs."""
    from rtswap.runtime import session

    monkeypatch.setattr(session, "TICK_S", 0.005)
    monkeypatch.setattr(session, "JOIN_S", 1.0)


@pytest.fixture(scope="session")
def tensorrt() -> TensorRt:
    """TensorRT for RTX, which builds plans without a GPU."""
    need_tensorrt()
    from rtswap.engines.tensorrt.module import load_tensorrt

    return load_tensorrt("tensorrt_rtx")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda"):
        need_cuda()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cuda: needs a GPU; skipped without, a failure where RTSWAP_REQUIRE_CUDA=1")
