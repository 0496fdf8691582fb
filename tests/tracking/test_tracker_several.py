"""Several faces at once: found, told apart, kept in order, and none of them twice."""

from __future__ import annotations

import numpy as np
import pytest
from fake_world import Person, Stream, World, centre, extent, ids, still

from rtswap.tracking.association import iou


def test_all_faces_are_followed_in_one_batch() -> None:
    world = World([still(200 + 220 * n, 360, 120) for n in range(5)], noise_px=0.3)
    stream = Stream(world, faces="all")
    first = stream.step()
    assert len(first) == 5
    world.batches.clear()
    tracks = stream.run(2)
    assert all(ids(frame) == ids(first) for frame in tracks)
    assert set(world.batches) == {5}


def test_ten_moving_faces_keep_their_ids() -> None:
    def walker(n: int) -> Person:
        return Person(
            lambda t: (120 + 115 * n + 20 * np.sin(2 * t + n), 200 + 300 * (n % 2) + 60 * np.sin(3 * t + n), 90)
        )

    persons = [walker(n) for n in range(10)]
    world = World(persons, noise_px=0.3)
    stream = Stream(world, faces="all")
    owner: dict[int, int] = {}
    for _ in range(150):
        truth = [extent(mesh) for person in persons if (mesh := person.mesh(world.now)) is not None]
        tracks = stream.step()
        assert len(tracks) == 10
        for track in tracks:
            person = int(iou([track.box], truth)[0].argmax())
            assert owner.setdefault(track.id, person) == person
    assert len(set(owner.values())) == 10


def test_newcomers_are_found_by_the_next_detection() -> None:
    world = World([still(300), Person(lambda t: (900, 360, 150) if t > 0.99 else None)])
    stream = Stream(world, faces="all")
    tracks = stream.run(2)
    assert [len(frame) for frame in tracks[:29]] == [1] * 29
    seen = next(n for n, frame in enumerate(tracks) if len(frame) == 2)
    assert 30 <= seen <= 30 + 16
    assert world.detects == 4 or world.detects == 5


def test_a_doubtful_face_does_not_keep_newcomers_from_being_found() -> None:
    doubtful = still(300)
    doubtful.presence = 0.6
    stream = Stream(World([doubtful, Person(lambda t: (900, 360, 150) if t > 0.99 else None)]), faces="all")
    assert len(stream.run(2)[-1]) == 2


def test_never_more_than_max_faces_and_the_largest_first() -> None:
    world = World([still(100 + 150 * n, 360, 60 + 5 * n) for n in range(8)])
    tracks = Stream(world, faces="all", max_faces=3).run(1)[-1]
    assert len(tracks) == 3
    assert min(centre(track.box)[0] for track in tracks) > 800


def test_one_may_leave_and_come_back_while_others_stay() -> None:
    away = Person(lambda t: (900, 360, 150) if not 1 < t < 1.7 else None)
    stream = Stream(World([still(300), away]), faces="all")
    (_, gone) = ids(stream.step())
    stream.run(1.5)
    assert ids(stream.step()) == [1]
    tracks = stream.run(0.5)[-1]
    assert gone in ids(tracks), "found again within a few frames, with the same id"


def test_two_meshes_on_one_face_become_one_and_it_is_the_one_who_was_there() -> None:
    """Two cross; the hidden one's mesh is drawn onto the one in front."""
    front = Person(lambda t: (300 + 200 * t, 360, 200))
    behind = Person(lambda t: (900 - 200 * t, 360, 190) if not 1.25 < t < 1.8 else None)
    world = World([front, behind], noise_px=0.2)
    stream = Stream(world, faces="all")
    first = {track.id: centre(track.box)[0] for track in stream.step()}
    left = min(first, key=lambda track_id: first[track_id])
    for frame in stream.run(2.5):
        measured = [track for track in frame if track.measured]
        overlaps = iou([t.box for t in measured], [t.box for t in measured])
        assert (np.triu(overlaps, 1) <= 0.5).all()
    last = {track.id: centre(track.box)[0] for track in stream.step()}
    assert last[left] == pytest.approx(300 + 200 * world.now, abs=15)
    assert len(last) == 2
    assert set(last) == set(first)
