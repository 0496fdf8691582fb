"""Disable the telemetry of ONNX Runtime and OpenVINO while they are imported, and hold interrupts.

ONNX Runtime 1.31 stores a device id and connects every 10 to 20 s. It reads ``ORT_DISABLE_TELEMETRY`` when it is
loaded; calling its ``disable_telemetry_events()`` afterwards is too late. OpenVINO 2026.4 reports its import through
the package ``openvino_telemetry``, and works without it. Ctrl-C in the import of one of them was lost: it became
"initialization failed", and the next import failed, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rtswap.core.interrupts import hold_interrupts

_REPORTER = "openvino_telemetry"


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Disable telemetry inside the block. Import ``onnxruntime`` and ``openvino`` only inside it.

    The environment variable stays set for this process and its children. ``openvino_telemetry`` cannot be imported
    inside the block; afterwards its entry in ``sys.modules`` is restored.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    missing = object()
    before = sys.modules.get(_REPORTER, missing)
    sys.modules[_REPORTER] = None  # type: ignore[assignment]  # None makes the import fail
    try:
        with hold_interrupts():
            yield
    finally:
        if before is missing:
            del sys.modules[_REPORTER]
        else:
            sys.modules[_REPORTER] = before  # type: ignore[assignment]
