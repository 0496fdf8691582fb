"""Requirements that not every machine meets; tests without them are skipped."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from wire import REFUSED

from rtswap.core.errors import ModelError
from rtswap.networks.registry import Registry


def network_file(name: str) -> Path:
    """The ONNX file of a network in the catalogue. Skips where its weights come with a package that is an extra."""
    try:
        return Registry().path(name)
    except ModelError as error:
        if "is not installed" in str(error) or "are not installed" in str(error):
            pytest.skip(str(error))
        raise


def need_torch() -> None:
    """Skip the test that asks where torch is not installed."""
    pytest.importorskip("torch", reason="torch is not installed")


def need_gradio() -> None:
    """Skip the test that asks where Gradio is not installed. Where it is promised (RTSWAP_REQUIRE_GRADIO=1, as in
    ``make test-extras``), fail instead."""
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        if os.environ.get("RTSWAP_REQUIRE_GRADIO") == "1":
            pytest.fail(f"RTSWAP_REQUIRE_GRADIO=1, but {error}")
        pytest.skip(f"{error}. pip install gradio")


def need_cuda() -> None:
    """Skip the test that asks where there is no GPU. Where one is promised (RTSWAP_REQUIRE_CUDA=1), fail instead."""
    reason = _why_no_cuda()
    if reason and os.environ.get("RTSWAP_REQUIRE_CUDA") == "1":
        pytest.fail(f"RTSWAP_REQUIRE_CUDA=1, but {reason}")
    if reason:
        pytest.skip(reason)


def need_tensorrt() -> None:
    """Skip the test that asks where TensorRT for RTX does not load. Where it is promised (RTSWAP_REQUIRE_TENSORRT=1,
    as in ``make test-plans``), fail instead."""
    try:
        import tensorrt_rtx  # noqa: F401
    except (ImportError, OSError) as error:
        reason = f"TensorRT for RTX does not load: {error}"
        if os.environ.get("RTSWAP_REQUIRE_TENSORRT") == "1":
            pytest.fail(f"RTSWAP_REQUIRE_TENSORRT=1, but {reason}")
        pytest.skip(f"{reason}. pip install tensorrt_rtx")


@cache
def _why_no_cuda() -> str:
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"torch does not import: {error}"
    return "" if torch.cuda.is_available() else "torch sees no CUDA GPU"


def need_namespace(code: int, said: str) -> None:
    """Skip where ``wire.py`` ended with REFUSED: the kernel lends no network namespace. Where one is promised
    (RTSWAP_REQUIRE_NAMESPACE=1), fail instead."""
    if code != REFUSED:
        return
    reason = f"what is sent cannot be recorded here: {said.strip()}"
    if os.environ.get("RTSWAP_REQUIRE_NAMESPACE") == "1":
        pytest.fail(f"RTSWAP_REQUIRE_NAMESPACE=1, but {reason}")
    pytest.skip(reason)
