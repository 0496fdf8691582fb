"""Group faces by person: by where they are from frame to frame, then by their embeddings.

Two faces of one picture are never the same person. Groups are joined most similar first, by the mean of their
embeddings, so that the result does not depend on the order in which files are given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rtswap.commands.extract.album import StoredFace

SAME = MappingProxyType({"dlib": 0.8, "rtswap": 0.9})
"""Network -> cosine of mean embeddings from which two groups are one person. Of 20 people in two photos each, dlib's
network has all above it and no strangers (at most 0.76), our own, smaller one 9 and no strangers."""
SAME_HERE = MappingProxyType({"dlib": 0.3, "rtswap": 0.6})
"""The same for a face where another was in the frame before."""
NEAR, GROWTH = 0.5, 1.4
"""Distance in face heights, and ratio of sizes, up to which a face is where one was in the frame before."""
LONGEST_S = 2.0
"""Seconds between two frames after which positions say nothing."""
MOST_GROUPS = 3000
"""Groups that are compared with each other; of more, the small ones stay as they are."""


def group(faces: Sequence[StoredFace], vectors: Mapping[str, NDArray[np.float32]], network: str) -> dict[str, int]:
    """Return picture -> person, numbered in the order of ``faces``, without faces that have no embedding in
    ``vectors``. ``network``: key of ``SAME``."""
    known = [face for face in faces if face.file in vectors]
    groups = _join(_tracks(known, vectors, SAME_HERE[network]), vectors, SAME[network])
    order = {face.file: number for number, face in enumerate(known)}
    groups.sort(key=lambda members: min(order[face.file] for face in members))
    return {face.file: person for person, members in enumerate(groups) for face in members}


def _tracks(
    faces: Sequence[StoredFace], vectors: Mapping[str, NDArray[np.float32]], least: float
) -> list[list[StoredFace]]:
    """Faces that follow each other at one place."""
    tracks: list[list[StoredFace]] = []
    running: list[list[StoredFace]] = []
    moment: object = None
    for face in faces:
        if face.frame is None:
            tracks.append([face])
            continue
        if (face.sha256, face.frame) != moment:
            moment = (face.sha256, face.frame)
            running = [track for track in running if _still(track[-1], face)]
        near = [
            track
            for track in running
            if track[-1].frame != face.frame
            and _is_near(track[-1], face)
            and float(vectors[track[-1].file] @ vectors[face.file]) >= least
        ]
        if near:
            min(near, key=lambda track: _distance(track[-1], face)).append(face)
        else:
            tracks.append([face])
            running.append(tracks[-1])
    return tracks


def _still(last: StoredFace, face: StoredFace) -> bool:
    return last.sha256 == face.sha256 and face.time_s - last.time_s <= LONGEST_S


def _is_near(one: StoredFace, other: StoredFace) -> bool:
    growth = one.face_px / max(other.face_px, 1e-6)
    return 1 / GROWTH <= growth <= GROWTH and _distance(one, other) <= NEAR * max(one.face_px, other.face_px)


def _distance(one: StoredFace, other: StoredFace) -> float:
    return math.dist(one.middle, other.middle)


def _join(
    groups: list[list[StoredFace]], vectors: Mapping[str, NDArray[np.float32]], least: float
) -> list[list[StoredFace]]:
    """Join the most similar groups, again and again. The largest ``MOST_GROUPS`` are compared."""
    if not groups:
        return []
    groups = sorted(groups, key=len, reverse=True)
    rest, groups = groups[MOST_GROUPS:], groups[:MOST_GROUPS]
    sums = np.array([np.sum([vectors[face.file] for face in members], axis=0) for members in groups], np.float64)
    frames = [{(face.sha256, face.frame) for face in members} for members in groups]
    alive = np.ones(len(groups), bool)
    alike = _cosines(sums, sums)
    for one in range(len(groups)):
        for other in range(one):
            if frames[one] & frames[other]:
                alike[one, other] = alike[other, one] = -1.0
    np.fill_diagonal(alike, -1.0)
    while len(groups) > 1:
        one, other = sorted(int(place) for place in np.unravel_index(int(alike.argmax()), alike.shape))
        if alike[one, other] < least:
            break
        apart = (alike[one] == -1.0) | (alike[other] == -1.0) | ~alive
        groups[one] += groups[other]
        sums[one] += sums[other]
        alive[other] = False
        row = np.where(apart, -1.0, _cosines(sums[one][None], sums)[0])
        row[[one, other]] = -1.0
        alike[one], alike[:, one] = row, row
        alike[other], alike[:, other] = -1.0, -1.0
    return [members for members, living in zip(groups, alive, strict=True) if living] + rest


def _cosines(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    some = some / np.maximum(np.linalg.norm(some, axis=1, keepdims=True), 1e-9)
    others = others / np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-9)
    return np.asarray(np.clip(some @ others.T, -0.999, 1.0))
