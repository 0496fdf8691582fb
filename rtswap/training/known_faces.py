"""Which faces a training of two people has learnt, so that it does not go on with source and target exchanged: each
person's half of the networks would learn the other's face, and hours of training would be lost without a word."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.core.files import open_regular, write_atomic

FACES = "learnt.json"
"""In the folder of a training: the names of the source's and the target's pictures."""
_ROLES = ("source", "target")
_MOST_BYTES = 64 << 20


def compare_faces(out: Path, names: Sequence[Collection[str]], tell: Callable[[str], None]) -> None:
    """``names``: of the source's and of the target's pictures. Say so if they are others than those of the earlier
    runs in ``out``. Raises UsageError if these have source and target the other way round."""
    before = _read(out / FACES)
    if before is None:
        return
    (source, target), (old_source, old_target) = map(set, names), before
    if len(source & old_target) + len(target & old_source) > len(source & old_source) + len(target & old_target):
        raise UsageError(
            f"source and target are the other way round than in the earlier runs in {out}",
            do="Exchange the two --data, or give another --out.",
        )
    for role, new, old in zip(_ROLES, (source, target), before, strict=True):
        if not new & old:
            tell(f"the training in {out} goes on with other faces of the {role} than before")


def keep_faces(out: Path, names: Sequence[Collection[str]]) -> None:
    """Write down which faces are learnt. Raises OutputError."""
    found = {role: sorted(some) for role, some in zip(_ROLES, names, strict=True)}
    try:
        write_atomic(out / FACES, json.dumps(found, indent=1).encode())
    except OSError as error:
        raise OutputError(f"cannot write {out / FACES}", got=reason(error)) from None


def _read(path: Path) -> tuple[set[str], set[str]] | None:
    """None for a training that did not write it, or of which somebody has changed it."""
    try:
        with open_regular(path) as file:
            found = json.loads(file.read(_MOST_BYTES))
        return set(map(str, found["source"])), set(map(str, found["target"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
