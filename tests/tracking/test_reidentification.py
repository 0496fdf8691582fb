"""A poster or a passing person never takes a person's place; who comes back is known by looks, wherever it is."""

from __future__ import annotations

import numpy as np
import pytest
from fake_world import FPS, Person, Stream, World, centre, ids, still

from rtswap.core.errors import EngineError
from rtswap.core.types import Image, Mesh, Points, Quality, Tensor
from rtswap.networks.recognition import DOUBT_EVERY_S, LOOK_EVERY_S, STRANGE, Appearance
from rtswap.tracking.tracker import HOLD_S, REMEMBER_S


def watched(*persons: Person, **options: object) -> Stream:
    world = World(list(persons))
    return Stream(world, recogniser=world, **options)


def test_a_poster_is_not_taken_while_the_person_is_away_and_the_person_is_known_at_another_place() -> None:
    me = Person(lambda t: (300, 360, 200) if t < 2 else (800, 300, 90) if t > 14 else None, looks=1)
    stream = watched(me, Person(lambda t: (1000, 360, 180), looks=2))
    stream.run(2)
    assert not any(track.measured for frame in stream.run(11.9) for track in frame)
    (track,) = stream.run(0.3)[-1]
    assert track.id == 1
    np.testing.assert_allclose(centre(track.box), [800, 300], atol=2)


def test_a_stranger_at_the_very_place_is_not_taken_either() -> None:
    me = Person(lambda t: (640, 360, 200) if t < 2 else None, looks=1)
    stream = watched(me, Person(lambda t: (640, 360, 200) if t > 2.4 else None, looks=2))
    stream.run(2)
    assert not any(track.measured for frame in stream.run(5) for track in frame)


def test_after_a_long_time_somebody_else_is_taken_and_gives_way_in_the_first_frame_of_the_return() -> None:
    back_s = HOLD_S + 8
    me = Person(lambda t: (300, 360, 200) if t < 2 or t >= back_s else None, looks=1)
    stream = watched(me, Person(lambda t: (1000, 360, 300), detected=True, looks=2))
    stream.world.persons[1].detected = False
    stream.run(2)
    stream.world.persons[1].detected = True
    frames = stream.run(back_s - 2 - 1 / FPS)
    assert ids(frames[-1]) == [2]
    while stream.world.now < back_s:
        assert ids(stream.step()) == [2]
    (track,) = stream.step()
    assert track.id == 1, "no frame in which the person is seen and not followed"


def test_a_track_that_has_slid_onto_somebody_else_is_let_go_within_a_second_and_a_half() -> None:
    me = Person(lambda t: (640, 360, 200) if t < 2 else None, looks=1)
    stream = watched(me, Person(lambda t: (642, 360, 202) if t >= 2 else None, looks=2))
    stream.run(2)
    frames = stream.run(4)
    followed_s = sum(bool(frame) for frame in frames) / FPS
    assert followed_s <= LOOK_EVERY_S + STRANGE * (DOUBT_EVERY_S + 1 / FPS) + 1 / FPS
    assert not any(frames[-1])


def test_two_who_change_places_while_hidden_keep_their_ids() -> None:
    def first(t: float) -> tuple[float, float, float] | None:
        return None if 2 < t < 2.5 else (560, 360, 150) if t <= 2 else (720, 360, 150)

    def second(t: float) -> tuple[float, float, float] | None:
        return None if 2 < t < 2.5 else (720, 360, 150) if t <= 2 else (560, 360, 150)

    stream = watched(Person(first, looks=1), Person(second, looks=2), faces="all")
    before = {track.id: centre(track.box)[0] for track in stream.run(2)[-1]}
    after = {track.id: centre(track.box)[0] for track in stream.run(2)[-1]}
    assert sorted(before) == sorted(after) == [1, 2]
    for face_id in before:
        assert abs(before[face_id] - after[face_id]) > 100, "the place changed, the person did not"


def test_who_cannot_be_recognised_comes_back_by_place_at_once_but_not_later() -> None:
    for away_s, wanted in ((0.4, [1]), (3.0, [])):
        me = Person(lambda t, away_s=away_s: (640, 360, 200) if not 2 <= t < 2 + away_s else None, looks=1)
        stream = watched(me)
        stream.run(2)
        stream.world.spoil = lambda mesh: Mesh(mesh.points, np.full(468, 0.3, np.float32), mesh.presence)
        frames = stream.run(away_s + 0.5)
        assert ids(frames[-1]) == wanted


def test_a_person_is_forgotten_in_the_end() -> None:
    me = Person(lambda t: (300, 360, 200) if t < 2 else None, looks=1)
    stream = watched(me)
    stream.run(2)
    for _ in range(int(REMEMBER_S) + 6):
        stream.step(dt=0.99)
    stream.world.persons = [still(300, 360, 200)]
    stream.world.persons[0].looks = 1
    assert ids(stream.step()) == [2]


def test_recognising_costs_one_look_a_frame_at_most_and_one_a_second_later_on() -> None:
    stream = watched(*(Person(lambda t, n=n: (200 + 200 * n, 360, 120), looks=n) for n in range(5)), faces="all")
    for _ in range(60):
        before = stream.world.embeds
        stream.step()
        assert stream.world.embeds <= before + 1
    before = stream.world.embeds
    stream.run(4)
    assert stream.world.embeds - before <= 5 * 4 + 5


def test_errors_of_the_recogniser_pass_through() -> None:
    class Broken:
        def embed(self, image: Image, keypoints: Points) -> Tensor:
            raise EngineError("the engine is gone")

    stream = Stream(World([still()]), recogniser=Broken())
    with pytest.raises(EngineError, match="gone"):
        stream.run(1)


def test_a_likeness_may_change_slowly_but_does_not_wander_to_somebody_else() -> None:
    def at(angle: float) -> Tensor:
        vector = np.zeros(128, np.float32)
        vector[:2] = np.cos(angle), np.sin(angle)
        return vector

    likeness = Appearance()
    for n in range(40):
        assert likeness.look(at(0.8 * n / 40), n), "growing light, a smile: still the same"
    assert likeness.to(at(0.0)) > 0.99
    for n in range(40, 200):
        likeness.look(at(min(0.02 * n, 3.0)), n)
    assert likeness.to(at(0.0)) > 0.99, "the first looks are kept for good"


def test_quality_that_never_detects_still_finds_the_person_again() -> None:
    me = Person(lambda t: (300, 360, 200) if t < 2 else (800, 300, 150) if t > 4 else None, looks=1)
    stream = watched(me)
    frames = stream.run(6, quality=Quality(detect_every=0))
    assert ids(frames[-1]) == [1]
