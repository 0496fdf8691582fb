"""Whom the tracker takes for the person and what for a face: it sticks to one person and lets hallucinations go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from fake_world import Person, Stream, World, centre, ids, still

from rtswap.core.types import Detection, Image, Mesh, Points

# Sticking to one person


def test_the_largest_is_taken_and_kept_although_another_grows_larger() -> None:
    large, other = still(300, 360, 220), Person(lambda t: (900, 360, 150 + 60 * t))
    tracks = Stream(World([other, large])).run(3)
    assert all(ids(frame) == [1] for frame in tracks)
    assert all(abs(centre(frame[0].box)[0] - 300) < 1 for frame in tracks)


def test_while_the_person_may_come_back_nobody_else_takes_the_place() -> None:
    me = Person(lambda t: (300, 360, 200) if t < 0.99 else None)
    stream = Stream(World([me, still(1000, 360, 200)]))
    stream.run(1)
    for frame in stream.run(1.2):
        assert all(track.id == 1 and not track.measured for track in frame)
    tracks = stream.run(1.5)
    assert ids(tracks[-1]) == [2], "afterwards the other is a new track, with a new id"
    assert tracks[-1][0].measured


def test_of_two_who_come_the_one_who_fits_the_place_and_size_is_the_person() -> None:
    me = Person(lambda t: (500, 360, 200) if t < 0.99 else None)
    near = Person(lambda t: (560, 360, 190) if t > 1.6 else None)
    huge = Person(lambda t: (480, 360, 520) if t > 1.6 else None)
    stream = Stream(World([me, near, huge]))
    stream.run(2)
    (track,) = stream.step()
    assert track.id == 1
    np.testing.assert_allclose(centre(track.box), [560, 360], atol=1)


def test_someone_who_passes_in_front_does_not_take_the_id_along() -> None:
    """The passer-by hides the person for 0.4 s: larger, and gone to the other side."""
    me = Person(lambda t: (640, 360, 200) if not 0.8 < t < 1.2 else None)
    passer = Person(lambda t: (640 + 800 * (t - 1), 360, 360) if t > 0.5 else None)
    stream = Stream(World([me, passer]))
    stream.run(2)
    (track,) = stream.step()
    assert track.id == 1
    np.testing.assert_allclose(centre(track.box), [640, 360], atol=1)


def test_reset_forgets_and_never_gives_an_id_twice() -> None:
    stream = Stream(World([still()]))
    assert ids(stream.step()) == [1]
    stream.tracker.reset()
    assert ids(stream.step()) == [2]


def test_a_picture_of_another_size_starts_afresh() -> None:
    stream = Stream(World([still(300, 200, 100)]))
    stream.run(0.2)
    stream.image = np.zeros((480, 640, 3), np.uint8)
    (track,) = stream.step()
    assert track.id == 2
    assert track.measured


# Hallucinations


def test_a_mediocre_mesh_that_no_detection_confirms_is_dropped() -> None:
    """The network sees a face on a shoulder: the detector does not."""
    person = still()
    world = World([person])
    stream = Stream(world)
    stream.run(0.5)
    person.presence, person.detected = 0.6, False
    tracks = stream.run(1)
    assert tracks[0][0].measured
    assert tracks[-1] == []


def test_after_a_hallucination_a_true_face_is_taken_at_once() -> None:
    ghost, person = still(300, 360, 250), still(900, 360, 200)
    world = World([ghost, person])
    stream = Stream(world)
    stream.run(0.5)
    ghost.presence, ghost.detected = 0.6, False
    (track,) = stream.run(1)[-1]
    assert track.id == 2
    np.testing.assert_allclose(centre(track.box), [900, 360], atol=1)


def test_a_sure_mesh_is_kept_although_the_detector_does_not_know_profiles() -> None:
    person = still()
    stream = Stream(World([person]))
    stream.run(0.5)
    person.detected = False
    assert all(len(frame) == 1 and frame[0].measured for frame in stream.run(5))


def test_a_mediocre_mesh_that_detections_confirm_is_kept() -> None:
    person = still()
    person.presence = 0.6
    assert all(len(frame) == 1 and frame[0].measured for frame in Stream(World([person])).run(5))


def test_a_detection_without_a_face_in_it_starts_no_track() -> None:
    poster = still()
    poster.presence = 0.2
    assert not any(Stream(World([poster])).run(1))


@pytest.mark.parametrize(
    "detection",
    [
        Detection(np.full(4, np.nan, np.float32), np.zeros((5, 2), np.float32), 0.9),
        Detection(np.float32([10, 10, 50, 50]), np.full((5, 2), np.nan, np.float32), 0.9),
        Detection(np.float32([50, 50, 10, 10]), np.zeros((5, 2), np.float32), 0.9),
    ],
)
def test_a_detection_of_nonsense_is_ignored(detection: Detection, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World([still()])
    real = world.detect
    monkeypatch.setattr(world, "detect", lambda image: [detection, *real(image)])
    assert ids(Stream(world, faces="all").step()) == [1]


@pytest.mark.parametrize("shrink", [0.97, 0.93, 1.04])
def test_a_mesh_that_shrinks_a_little_every_frame_is_put_right(shrink: float) -> None:
    """Seen on a real clip: each frame's crop comes from a mesh that was a bit too small."""
    world = World([still()])

    def smaller_than_it_was_told(image: Image, faces: Sequence[Points]) -> list[Mesh]:
        if faces and faces[0].shape == (5, 2):
            return true_find(image, faces)
        shrunk = [(hint - hint.mean(axis=0)) * shrink + hint.mean(axis=0) for hint in faces]
        return [Mesh(points.astype(np.float32), np.ones(468, np.float32), 1.0) for points in shrunk]

    true_find, world.find = world.find, smaller_than_it_was_told  # type: ignore[method-assign]
    widths = []
    for (track,) in Stream(world).run(4):
        assert track.id == 1
        widths.append(track.box[2] - track.box[0])
    assert min(widths) > 0.6 * 200
    assert max(widths) < 1.6 * 200
