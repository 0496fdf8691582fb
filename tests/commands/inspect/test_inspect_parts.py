"""The parts of the inspection alone: figures against numbers worked out by hand, and what is kept."""

from __future__ import annotations

import math

import numpy as np
import people
import pytest

from rtswap.commands.inspect.figures import FaceFigures, FaceLog, FaceMeter
from rtswap.commands.inspect.moments import APART_S, EVENLY, WORST, EvenlySpaced, Worst
from rtswap.commands.inspect.probes import Probe, SeenMasks
from rtswap.core.types import Image, Mesh, Points, Track
from rtswap.drawing.strokes import FrameView
from rtswap.vision.geometry import interocular

PICTURE = np.zeros((4, 4, 3), np.uint8)
FACE = people.place_mesh(200, (300, 300))


def seen(smoothed: Points, raw: Points) -> Probe:
    visibility = np.ones(468, np.float32)
    watch = Probe()
    watch.meshes.append(Mesh(raw, visibility, 0.9))
    watch.tracks.append(Track(1, np.array([0, 0, 9, 9], np.float32), smoothed[:5, :2], smoothed, visibility, 1.0))
    return watch


def row(**values: float) -> FaceFigures:
    plain = dict.fromkeys(FaceFigures._fields, 0.0) | {"id": 1, "confidence": 1.0, "presence": 1.0, "visible": 1.0}
    return FaceFigures(**(plain | {"swapped": 1.0} | values))


def test_jitter_is_the_second_difference_in_interocular_distances() -> None:
    meter, size = FaceMeter(), interocular(FACE)
    places = [0.0, 1.0, 5.0]
    for n, place in enumerate(places):
        step = np.array([place, 0, 0], np.float32)
        (found,) = meter.measure(seen(FACE + step, FACE + 2 * step), n, n / 30, 1 / 30)
    assert found.jitter == pytest.approx(3 / size, rel=1e-3)
    assert found.jitter_raw == pytest.approx(6 / size, rel=1e-3)
    assert found.jump == pytest.approx(3 / size, rel=1e-3)


def test_steady_motion_is_not_jitter_and_a_gap_is_not_a_jump() -> None:
    meter = FaceMeter()
    for n, frame in enumerate((0, 1, 2, 5)):
        step = np.array([4.0 * n, 0, 0], np.float32)
        (found,) = meter.measure(seen(FACE + step, FACE + step), frame, frame / 30, 1 / 30)
        if frame == 2:
            assert found.jitter == pytest.approx(0, abs=1e-5)
    assert math.isnan(found.jump)


def test_raw_meshes_are_not_mixed_between_faces() -> None:
    other = FACE + np.array([400, 0, 0], np.float32)
    watch = seen(FACE, FACE + 1)
    watch.meshes.append(Mesh(other, np.ones(468, np.float32), 0.5))
    found = watch.raw(watch.tracks[0])
    assert found is not None
    assert found.presence == pytest.approx(0.9)


def test_what_each_mask_takes_away_adds_up() -> None:
    hull = np.full((10, 10), 255, np.uint8)
    skin, final = hull.copy(), hull.copy()
    skin[:2] = 0
    final[:5] = 0
    masks = SeenMasks(np.eye(2, 3, dtype=np.float32), hull, [("skin", skin), ("occlusion", final)])
    assert masks.share(masks.final) == pytest.approx(0.5)
    assert masks.lost() == pytest.approx({"skin": 0.2, "occlusion": 0.3})


def test_a_mask_has_the_same_place_in_the_view_as_in_the_frame() -> None:
    view = FrameView.around(np.array([50.0, 40.0]), 40, (80, 80))
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 255
    laid = view.mask(mask, np.array([[1, 0, -40], [0, 1, -30]], np.float32))
    rows, columns = np.nonzero(laid > 127)
    corners = view.points(np.array([[45, 35], [54, 44]], np.float32))
    assert columns.min() == pytest.approx(corners[0, 0], abs=1.5)
    assert rows.max() == pytest.approx(corners[1, 1], abs=1.5)


def test_the_log_keeps_faces_apart() -> None:
    log = FaceLog()
    log.add([row(frame=0, yaw=5), row(frame=0, id=2, yaw=9), row(frame=1, yaw=6)])
    assert log.ids() == [1, 2]
    assert log.column("yaw", 1).tolist() == [5, 6]
    assert [int(each.id) for each in log.rows()] == [1, 2, 1]


@pytest.mark.parametrize("count", [1, 5, EVENLY, 500])
def test_evenly_spaced_frames_cover_a_clip_of_any_length(count: int) -> None:
    spaced, taken = EvenlySpaced(), []

    def take(face: int | None) -> Image:
        taken.append(face)
        return PICTURE

    for n in range(count):
        spaced.offer(n, n / 30, take)
    frames = [moment.frame for moment in spaced.moments()]
    assert frames == sorted(set(frames))
    assert len(frames) == min(count, EVENLY)
    assert frames[0] == 0
    assert frames[-1] >= 0.85 * (count - 1)
    assert len(taken) < 40 * EVENLY


def test_the_worst_moments_are_kept_apart_in_time_and_few() -> None:
    worst = Worst()
    for n in range(300):
        bad = {10: 0.9, 11: 0.95, 100: 0.8, 200: 0.7, 250: 0.6}.get(n, 0.01)
        worst.offer([row(jump=bad, jitter=math.nan)], n, n / 30, lambda face: PICTURE)
    found = [moment for moment in worst.moments() if moment.kind == "jump"]
    assert [moment.frame for moment in found] == [11, 100, 200]
    assert len(found) == WORST
    assert min(np.diff(sorted(moment.time_s for moment in found))) >= APART_S


def test_a_lost_face_is_a_moment() -> None:
    worst = Worst()
    worst.offer([row(jump=math.nan, jitter=math.nan)], 0, 0.0, lambda face: PICTURE)
    worst.offer([], 1, 0.1, lambda face: PICTURE)
    assert [(moment.kind, moment.frame) for moment in worst.moments()] == [("lost", 1)]


@pytest.mark.parametrize(
    ("jump", "words"),
    [(0.004, []), (0.11, ["quickest move, 11% of the eye distance"]), (0.4, ["jump, 40% of the eye distance"])],
)
def test_a_head_that_hardly_moves_has_no_quickest_move(jump: float, words: list[str]) -> None:
    """The sheet showed "quickest move, 0.00 iod" among the worst moments."""
    worst = Worst()
    worst.offer([row(jump=jump, jitter=math.nan)], 0, 0.0, lambda face: PICTURE)
    assert [moment.why for moment in worst.moments() if moment.kind == "jump"] == words
