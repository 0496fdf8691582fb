"""Ctrl-C never reaches native code that cannot bear it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from rtswap.core.interrupts import hold_interrupts
from rtswap.disclosure.badge_drawing import letters
from rtswap.drawing.strokes import text, text_width
from rtswap.engines.telemetry import no_telemetry
from rtswap.media.cameras import probe_cameras
from rtswap.media.inputs.camera import open_device


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: text(np.zeros((60, 200, 3), np.uint8), "Ada", (5, 40)), "putText"),
        (lambda: text_width("Ada"), "getTextSize"),
        (lambda: letters(["Ada"], 20, 450), "putText"),
        (lambda: probe_cameras(1), "VideoCapture"),
        (lambda: open_device(0), "VideoCapture"),
    ],
)
def test_opencv_is_not_interrupted_as_it_chooses_a_signature(
    call: Callable[[], object], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It crashed: ``rtswap personas --sheet``, SIGTERM at the moment when it drew a word."""
    real, inside = getattr(cv2, name), []

    def interrupted(*given: Any) -> Any:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            inside.append(name)
        return real(*given)

    monkeypatch.setattr(cv2, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        call()
    assert inside == []


def test_held_interrupts_come_afterwards() -> None:
    done = []

    @hold_interrupts()
    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]


def test_ctrl_c_in_the_import_of_a_runtime_is_not_lost() -> None:
    """Where Python code that it calls back is interrupted, it says "initialization failed" and cannot be imported
    again."""
    with pytest.raises(KeyboardInterrupt), no_telemetry():
        imported_and_interrupted()


def imported_and_interrupted() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("initialization failed") from None
