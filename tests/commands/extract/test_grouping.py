"""Who is who in a faceset: by place from frame to frame, then by embedding."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from rtswap.commands.extract.album import StoredFace
from rtswap.commands.extract.grouping import LONGEST_S, group

ADA, BEN = np.eye(8, dtype=np.float32)[:2]


def towards(vector: np.ndarray, cosine: float) -> np.ndarray:
    """A unit vector at this cosine to ``vector``."""
    return (cosine * vector + np.sqrt(1 - cosine**2) * np.eye(8)[7]).astype(np.float32)


def face(name: str, *, clip: str = "a", frame: int | None = None, x: float = 100.0, px: float = 100.0) -> StoredFace:
    place = np.zeros((5, 2), np.float32)
    return StoredFace(name, "", clip, frame, (frame or 0) / 30, (x, 100.0), place, 0.5, px, 0.0, -1)


def test_people_are_numbered_in_the_order_of_their_faces() -> None:
    faces = [face("1", clip="a"), face("2", clip="b"), face("3", clip="c")]
    assert group(faces, {"1": BEN, "2": ADA, "3": BEN}, "rtswap") == {"1": 0, "2": 1, "3": 0}
    assert group([], {}, "dlib") == {}


def test_two_faces_of_one_picture_are_two_people() -> None:
    faces = [face("1"), face("2", x=300)]
    assert group(faces, {"1": ADA, "2": ADA}, "rtswap") == {"1": 0, "2": 1}
    faces = [face("1", frame=0), face("2", frame=0, x=300), face("3", frame=5, x=300)]
    assert group(faces, {"1": ADA, "2": ADA, "3": ADA}, "rtswap") == {"1": 0, "2": 1, "3": 1}


def test_a_face_that_stays_in_its_place_is_one_person_though_it_looks_different() -> None:
    vectors = {"1": ADA, "2": towards(ADA, 0.7), "3": BEN}
    stays = [face("1", frame=0), face("2", frame=15, x=130), face("3", frame=30, x=130)]
    assert group(stays, vectors, "rtswap") == {"1": 0, "2": 0, "3": 1}  # somebody else took the place
    for moved in (
        face("2", frame=15, x=300),
        face("2", frame=15, px=200),
        face("2", frame=15, clip="b"),
        face("2", frame=round(30 * LONGEST_S) + 30),
    ):
        assert len(set(group([face("1", frame=0), moved], vectors, "rtswap").values())) == 2


@pytest.mark.parametrize(
    ("network", "cosine", "people"), [("rtswap", 0.95, 1), ("rtswap", 0.85, 2), ("dlib", 0.85, 1), ("dlib", 0.75, 2)]
)
def test_groups_that_are_alike_are_joined(network: str, cosine: float, people: int) -> None:
    found = group([face("1", clip="a"), face("2", clip="b")], {"1": ADA, "2": towards(ADA, cosine)}, network)
    assert len(set(found.values())) == people


def test_the_order_of_the_files_does_not_matter() -> None:
    vectors = {"1": ADA, "2": towards(ADA, 0.95), "3": towards(ADA, 0.91), "4": BEN, "5": towards(BEN, 0.93)}
    found = {
        frozenset(frozenset(name for name, one in people.items() if one == person) for person in set(people.values()))
        for order in permutations(vectors)
        for people in [group([face(name, clip=name) for name in order], vectors, "rtswap")]
    }
    assert len(found) == 1


def test_faces_that_cannot_be_embedded_are_nobodys() -> None:
    assert group([face("1"), face("2", clip="b")], {"2": ADA}, "rtswap") == {"2": 0}
