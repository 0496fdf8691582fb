"""How long to wait before each attempt to get a lost device or connection back."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_S = 0.5
MOST_S = 8.0


def delays(first_s: float = FIRST_S, most_s: float = MOST_S) -> Iterator[float]:
    """Seconds: ``first_s``, doubled every time up to ``most_s``, without end."""
    delay_s = first_s
    while True:
        yield delay_s
        delay_s = min(2 * delay_s, most_s)
