"""Signals for programs that tests start."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """For ``preexec_fn``. A shell's background jobs ignore SIGINT, and hand that on to whatever they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
