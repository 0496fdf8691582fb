"""What the second detector tells the tracker: cuts, ghosts, newcomers."""

from __future__ import annotations

import numpy as np
from fake_world import Person, Stream, World, still

from rtswap.core.types import Frame, Head, Quality, Sighting, Track


class Told(Stream):
    """A stream whose frames come with sightings. ``heads``: x, y, width of each."""

    def see(self, *heads: tuple[float, float, float], cut: bool = False) -> list[Track]:
        boxes = [np.array([x - w / 2, y - w / 2, x + w / 2, y + w / 2], np.float32) for x, y, w in heads]
        sighting = Sighting(tuple(Head(box, 0.9) for box in boxes), cut)
        tracks = self.tracker.update(Frame(self.image, self.index, self.clock), Quality(), sighting)
        self.index += 1
        self.clock += 1 / 30
        self.world.now += 1 / 30
        return tracks


HERE, THERE = (640.0, 360.0, 200.0), (200.0, 360.0, 200.0)


def test_after_a_cut_nobody_is_followed_who_is_not_found_in_that_very_frame() -> None:
    """The landmark network still dreams a face onto the wall."""
    ghost = still()
    stream = Told(World([ghost]))
    stream.see(HERE)
    ghost.detected = False
    detects = stream.world.detects
    assert stream.see(cut=True) == []
    assert stream.world.detects == detects + 1


def test_after_a_cut_whoever_is_found_is_followed_on() -> None:
    stream = Told(World([still()]))
    (before,) = stream.see(HERE)
    (after,) = stream.see(HERE, cut=True)
    assert after.id == before.id
    assert after.measured


def test_a_face_that_is_not_seen_and_where_no_head_is_is_not_carried_on() -> None:
    person = still()
    stream = Told(World([person]))
    stream.see(HERE)
    person.place = lambda t: None
    assert stream.see() == [], "no ghost is painted"


def test_a_face_that_is_not_seen_for_a_moment_is_carried_on_where_a_head_is() -> None:
    person = still()
    stream = Told(World([person]))
    stream.see(HERE)
    person.meshed = person.detected = False
    (track,) = stream.see(HERE)
    assert not track.measured


def test_a_mesh_in_which_neither_detector_sees_anybody_is_dropped() -> None:
    ghost = still()
    stream = Told(World([ghost]))
    stream.see(HERE)
    ghost.detected = False
    left = [stream.see() for _ in range(12)]
    assert left[-1] == []


def test_a_newcomer_is_followed_in_the_first_frame() -> None:
    world = World([still()])
    stream = Told(world, faces="all")
    for _ in range(4):
        stream.see(HERE)
    world.persons.append(still(x=THERE[0]))
    assert len(stream.see(HERE, THERE)) == 2


def test_a_head_that_is_none_costs_one_look() -> None:
    world = World([still()])
    stream = Told(world, faces="all")
    stream.see(HERE)
    before = world.detects
    for _ in range(10):
        stream.see(HERE, THERE)
    assert world.detects - before == 1


def test_faces_that_are_found_and_not_followed_are_told() -> None:
    world = World([still(w=220), still(x=THERE[0])])
    stream = Told(world)
    stream.see(HERE, THERE)
    (other,) = stream.tracker.others
    assert other[0] < THERE[0] < other[2]


def test_a_face_the_landmarks_deny_is_told_as_well() -> None:
    """A landmark network that says there is nobody, always, leaves nobody bare."""
    person: Person = still()
    person.meshed = False
    stream = Told(World([person]))
    assert stream.see() == []
    assert len(stream.tracker.others) == 1
