"""Which of the faces just found is somebody who was lost: by looks where they are known, else by place and size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rtswap.core.types import Box, Mesh, Tensor
from rtswap.networks.recognition import SAME, SAME_HERE
from rtswap.tracking.followed_face import FollowedFace

UNRECOGNISED_S = 0.6
"""For so long after a known person was lost, a face at the place is theirs although it cannot be told who it is."""


class Newcomer(NamedTuple):
    """A face that was found and is not followed."""

    box: Box
    """From the detector."""
    mesh: Mesh
    vector: Tensor | None
    """Who it is; None where nobody can tell."""


def match_missing(missing: Sequence[FollowedFace], newcomers: Sequence[Newcomer]) -> list[tuple[int, int]]:
    """Pairs (missing, newcomer), each at most once: the most alike first, then the nearest."""
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
    """How good a claim the newcomer has to be this face, the lower the better; None where it has none."""
    near = face.may_be_at(newcomer.box)
    if face.likeness.known and newcomer.vector is not None:
        alike = face.likeness.to(newcomer.vector)
        return (0, -alike) if alike >= (SAME_HERE if near else SAME) else None
    if near and (not face.likeness.known or face.unseen_s <= UNRECOGNISED_S):
        return 1, face.distance_to(newcomer.box)
    return None
