"""Match new faces to lost people: by appearance where it is known, otherwise by position and size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rtswap.core.types import Box, Mesh, Tensor
from rtswap.networks.recognition import SAME, SAME_HERE
from rtswap.tracking.followed_face import FollowedFace

UNRECOGNISED_S = 0.6
"""How long after a known person was lost an unrecognisable face at the same place counts as that person."""


class Newcomer(NamedTuple):
    """A detected face that is not tracked."""

    box: Box
    """From the detector."""
    mesh: Mesh
    vector: Tensor | None
    """Embedding of the face; None if it cannot be recognised."""


def match_missing(missing: Sequence[FollowedFace], newcomers: Sequence[Newcomer]) -> list[tuple[int, int]]:
    """Pairs (missing, newcomer), each index at most once: most similar first, then nearest."""
    ranked = sorted(
        (*rank, i, j)
        for i, face in enumerate(missing)
        for j, newcomer in enumerate(newcomers)
        if (rank := _claim(face, newcomer)) is not None
    )
    pairs: list[tuple[int, int]] = []
    for _, _, i, j in ranked:
        if all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    return pairs


def _claim(face: FollowedFace, newcomer: Newcomer) -> tuple[int, float] | None:
    """Rank of the match between ``face`` and ``newcomer``, lower is better; None if they do not match."""
    near = face.may_be_at(newcomer.box)
    if face.likeness.known and newcomer.vector is not None:
        alike = face.likeness.to(newcomer.vector)
        return (0, -alike) if alike >= (SAME_HERE if near else SAME) else None
    if near and (not face.likeness.known or face.unseen_s <= UNRECOGNISED_S):
        return 1, face.distance_to(newcomer.box)
    return None
