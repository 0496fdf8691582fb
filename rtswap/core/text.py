"""Words that people type and read."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word that was probably meant, or nothing."""
    import difflib  # only when something was mistyped: the help must come at once

    return next(iter(difflib.get_close_matches(word, list(known), 1, cutoff)), "")
