"""ONNX Runtime and OpenVINO call their makers; nothing may open a socket unasked, so both are imported in here.

ONNX Runtime 1.31 keeps an id of the device and connects every 10 to 20 s. It reads ``ORT_DISABLE_TELEMETRY`` when it
is loaded; its own ``disable_telemetry_events()`` comes too late. OpenVINO 2026.4 reports its import through a package
of its own, ``openvino_telemetry``, and does without where that cannot be imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_REPORTER = "openvino_telemetry"


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Import ``onnxruntime`` and ``openvino`` in here, and nowhere else.

    The variable stays set, for this process and its children. ``openvino_telemetry`` cannot be imported meanwhile;
    afterwards a program that rtswap is a part of finds it as it was.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    missing = object()
    before = sys.modules.get(_REPORTER, missing)
    sys.modules[_REPORTER] = None  # type: ignore[assignment]  # how Python marks what may not be imported
    try:
        yield
    finally:
        if before is missing:
            del sys.modules[_REPORTER]
        else:
            sys.modules[_REPORTER] = before  # type: ignore[assignment]
