"""One face is followed from its first frame, through misses, odd clocks and failures of the networks."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from fake_world import BASE, FPS, HEIGHT, WIDTH, Person, Stream, World, centre, extent, ids, still
from hypothesis import given, settings
from hypothesis import strategies as st

from rtswap.core.errors import EngineError
from rtswap.core.types import Frame, Mesh, Quality
from rtswap.tracking.tracker import FaceTracker


def test_a_face_is_followed_from_its_first_frame_at_one_landmark_pass_a_frame() -> None:
    world = World([still()])
    stream = Stream(world)
    tracks = stream.step()
    assert [t.confidence for t in tracks] == [1.0]
    np.testing.assert_allclose(tracks[0].box, extent(BASE * 200 + [640, 360, 0]), atol=0.01)
    finds = world.finds
    stream.run(2)
    assert world.finds - finds == 60
    assert world.detects == 1, "with one face to follow there is no one to look for"
    assert world.refines == 4, "every 15 frames the detector is asked whether it agrees"


def test_detect_every_0_never_looks_at_a_face_that_is_sure() -> None:
    world = World([still()])
    Stream(world).run(3, Quality(detect_every=0))
    assert (world.detects, world.refines) == (1, 0)


def test_nobody_there_is_looked_for_in_every_frame() -> None:
    world = World([])
    assert Stream(world).run(1) == [[]] * 30
    assert (world.detects, world.finds) == (30, 0)


def test_a_walking_nodding_face_is_met_where_it_is() -> None:
    person = Person(lambda t: (300 + 150 * t, 360 + 40 * np.sin(2 * np.pi * t), 200 + 20 * t))
    world = World([person], noise_px=0.3)
    stream = Stream(world)
    for _ in range(120):
        truth = person.mesh(world.now)
        (track,) = stream.step()
        assert truth is not None
        assert track.measured
        assert track.id == 1
        assert np.abs(centre(track.box) - centre(extent(truth))).max() < 5
        assert np.abs(track.landmarks[:, :2] - truth[:, :2]).max() < 9
    assert world.refines <= 8


def test_boxes_and_landmarks_are_steadier_than_the_network() -> None:
    world = World([still(w=300)], noise_px=1.0)
    tracks = [tracks[0] for tracks in Stream(world).run(6)][60:]
    landmarks = np.array([track.landmarks[:, :2].mean(axis=0) for track in tracks])
    boxes = np.array([track.box for track in tracks])
    assert np.diff(landmarks, axis=0).std() < 0.05
    assert np.diff(boxes, axis=0).std() < 0.4


# Misses


def test_a_miss_is_mended_by_one_look_of_the_detector_in_the_same_frame() -> None:
    """A jump of 0.5 widths takes the face out of the network's crop."""
    person = Person(lambda t: (640 if t < 0.99 else 740, 360, 200))
    world = World([person])
    tracks = Stream(world).run(2)
    assert all(len(t) == 1 and t[0].measured and t[0].id == 1 for t in tracks)
    assert world.detects == 1
    np.testing.assert_allclose(centre(tracks[-1][0].box), [740, 360], atol=0.5)


def test_while_missed_it_coasts_on_its_course_and_its_confidence_falls_to_nothing() -> None:
    person = Person(lambda t: (300 + 300 * t, 360, 200) if t < 0.99 else None)
    world = World([person])
    stream = Stream(world)
    stream.run(1)
    coasting = []
    while tracks := stream.step():
        coasting.append(tracks[0])
    assert 6 <= len(coasting) <= 7, "0.25 s at 30 fps"
    confidences = [track.confidence for track in coasting]
    assert all(on_download < earlier < 1 for earlier, on_download in itertools.pairwise(confidences))
    assert confidences[0] == pytest.approx(1 - (1 / 30) / 0.25, abs=0.01)
    assert confidences[-1] < 0.15
    for n, track in enumerate(coasting):
        expected = [300 + 300 * (30 + n) / 30, 360]
        np.testing.assert_allclose(centre(track.box), expected, atol=3)
        np.testing.assert_allclose(track.landmarks[:, :2].mean(axis=0) - centre(track.box), [0, 0], atol=5)


@pytest.mark.parametrize("away_s", [0.1, 0.2, 0.5, 1.5])
def test_who_comes_back_to_the_place_keeps_the_id(away_s: float) -> None:
    person = Person(lambda t: (640, 360, 200) if not 1 <= t < 1 + away_s else None)
    stream = Stream(World([person]))
    stream.run(1.0)
    stream.run(away_s + 0.05)
    (track,) = stream.step()
    assert track.measured
    assert track.id == 1


def test_who_comes_back_after_the_time_is_a_new_track() -> None:
    person = Person(lambda t: (640, 360, 200) if not 1 <= t < 4 else None)
    stream = Stream(World([person]))
    stream.run(4.1)
    assert ids(stream.step()) == [2]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: Mesh(m.points * np.nan, m.visibility, 0.99),
        lambda m: Mesh(np.where(np.arange(1404).reshape(468, 3) == 700, np.inf, m.points), m.visibility, 0.99),
        lambda m: Mesh(m.points, m.visibility, float("nan")),
        lambda m: Mesh(m.points, m.visibility, 0.3),
        lambda m: Mesh(m.points * 0 + m.points[:1], m.visibility, 0.99),
        lambda m: Mesh((m.points - 640) * 1.8 + 640, m.visibility, 0.99),
        lambda m: Mesh(m.points * 1e6, m.visibility, 0.99),
        lambda m: Mesh(m.points + np.float32([150, 0, 0]), m.visibility, 0.99),
        lambda m: Mesh(m.points * np.float32([1, 0.01, 1]), m.visibility, 0.99),
        lambda m: Mesh(m.points - np.float32([5000, 0, 0]), m.visibility, 0.99),
    ],
    ids=["nan", "inf", "presence-nan", "presence-low", "collapsed", "grown", "exploded", "jumped", "flat", "outside"],
)
def test_an_implausible_mesh_is_never_emitted(spoil: Callable[[Mesh], Mesh]) -> None:
    world = World([still()])
    stream = Stream(world)
    good = stream.run(0.5)[-1][0]
    world.spoil = spoil
    tracks = stream.run(1)
    assert all(not track.measured for frame in tracks for track in frame)
    for frame in tracks[:7]:
        np.testing.assert_allclose(frame[0].box, good.box, atol=1)
    assert tracks[-1] == []
    world.spoil = None
    assert stream.step()[0].measured


def test_invisible_points_with_nan_visibility_count_as_hidden() -> None:
    world = World([still()])
    world.spoil = lambda m: Mesh(m.points, np.full(468, np.nan, np.float32), 0.99)
    (track,) = Stream(world).step()
    assert track.measured
    assert (track.visibility == 0).all()


def test_a_face_that_leaves_the_picture_is_let_go() -> None:
    person = Person(lambda t: (900 + 300 * t, 360, 200))
    world = World([person])
    stream = Stream(world)
    tracks = stream.run(3)
    last_measured = max(n for n, frame in enumerate(tracks) if frame and frame[0].measured)
    assert 1100 < 900 + 300 * last_measured / FPS < 1400
    assert tracks[-1] == []


# Clocks and failures


@pytest.mark.parametrize("steps", [[0.0], [-1.0], [5.0], [1e-9], [1 / 30, 0.0, 0.07, -0.02, 0.001, 2.0]])
def test_strange_clocks_do_not_lose_a_face(steps: list[float]) -> None:
    stream = Stream(World([still()], noise_px=0.5))
    for n in range(60):
        (track,) = stream.step(dt=steps[n % len(steps)])
        assert track.measured
        assert track.id == 1
        np.testing.assert_allclose(centre(track.box), [640, 360], atol=4)


def test_clock_that_is_not_a_number_is_survived() -> None:
    stream = Stream(World([still()]))
    for clock in (1.0, float("nan"), float("inf"), 2.0, -float("inf"), 3.0):
        stream.clock = clock
        assert ids(stream.step()) == [1]


def test_file_times_are_used_where_there_are_any() -> None:
    """Read at ten times its speed, a face coasts for 0.25 s of the film, not of the wall clock."""
    person = Person(lambda t: (640, 360, 200) if t < 0.99 else None)
    world = World([person])
    tracker = FaceTracker(world, world)
    coasted = 0
    for n in range(60):
        world.now = n / 30
        frame = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8), n, captured_at=n / 300, time_s=n / 30)
        coasted += any(not track.measured for track in tracker.update(frame, Quality()))
    assert 6 <= coasted <= 7


@pytest.mark.parametrize("method", ["detect", "refine", "find"])
def test_errors_of_the_networks_pass_through(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World([Person(lambda t: (640, 360, 200) if t < 0.45 else None)])
    stream = Stream(world)
    stream.run(0.4)

    def fail(*_: object) -> None:
        raise EngineError("the engine is gone")

    monkeypatch.setattr(world, method, fail)
    with pytest.raises(EngineError, match="gone"):
        stream.run(0.5)


def test_tracks_of_earlier_frames_do_not_change() -> None:
    stream = Stream(World([Person(lambda t: (300 + 300 * t, 360, 200))]))
    (early,) = stream.step()
    kept = early.landmarks.copy(), early.box.copy(), early.visibility.copy()
    stream.run(0.5)
    for now, then in zip((early.landmarks, early.box, early.visibility), kept, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_long_session_keeps_nothing() -> None:
    """1000 frames with faces that come and go: at the same moment of the play it knows as much as before."""

    def guest(n: int) -> Person:
        return Person(lambda t: (200 + 280 * n, 360, 150) if (t + n / 2) % 2 < 1.4 else None)

    stream = Stream(World([guest(n) for n in range(3)]), faces="all")
    stream.run(10)
    before = len(pickle.dumps((stream.tracker._faces, stream.tracker._lost)))
    stream.run(34)
    after = len(pickle.dumps((stream.tracker._faces, stream.tracker._lost)))
    assert after <= before + 1000


@settings(max_examples=60, deadline=None)
@given(
    moods=st.lists(
        st.tuples(
            st.floats(-200, 1500),
            st.floats(-200, 900),
            st.floats(5, 900),
            st.sampled_from([0.0, 0.3, 0.6, 0.99, float("nan")]),
            st.booleans(),
            st.sampled_from([1 / 30, 1 / 30, 0.2, 0.0, -1.0, 3.0]),
        ),
        max_size=25,
    ),
    faces=st.sampled_from(["one", "all"]),
)
def test_whatever_happens_tracks_are_sound_and_ids_only_grow(
    moods: list[tuple[float, float, float, float, bool, float]], faces: str
) -> None:
    here = [640.0, 360.0, 200.0]
    person = Person(lambda t: (here[0], here[1], here[2]))
    stream = Stream(World([person, still(300, 300, 120)]), faces=faces)
    newest = 0
    for x, y, w, presence, detected, dt in moods:
        here[:] = [x, y, w]
        person.presence, person.detected = presence, detected
        tracks = stream.step(dt=dt)
        assert len(tracks) <= (1 if faces == "one" else 16)
        for track in tracks:
            assert track.id <= newest + 8
        newest = max([newest, *ids(tracks)])
