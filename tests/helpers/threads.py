"""Run the same function in several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable


def run_together(work: Callable[[int], object], count: int, *, within_s: float = 60) -> None:
    """``work(0)`` ... ``work(count - 1)``, each in a thread of its own; all must end in time."""
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(within_s)
    assert not any(thread.is_alive() for thread in threads), "somebody waits forever"
