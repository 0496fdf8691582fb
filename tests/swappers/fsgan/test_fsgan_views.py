"""Which views of a source are reenacted, in how many steps, over which landmarks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtswap.core.types import Image, Points
from rtswap.swappers.fsgan.steps import (
    distance,
    facing,
    moved,
    outline_of,
    reenacted,
    seen_at,
    steps_between,
    waypoints,
)
from rtswap.swappers.fsgan.views import WIDEST, PoseMap, delaunay
from rtswap.vision.geometry import canonical
from rtswap.vision.pose import Pose, pose_of

SIDE = 128
POSES = [Pose(0, 0, 0), Pose(30, 2, 0), Pose(-28, -5, 1), Pose(3, 25, 0), Pose(-2, -20, 0)]


def face(yaw: float = 0.0, right: float = 0.0) -> Points:
    """The mean face in a picture of 128 px, turned by ``yaw`` degrees."""
    cos, sin = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    turned = canonical().mesh @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)
    return np.asarray(turned * np.float32(32) + np.array([SIDE / 2 + right, SIDE / 2, 0], np.float32), np.float32)


def noise() -> Image:
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def test_as_many_steps_as_fit_into_the_distance() -> None:
    assert distance(Pose(0, 0, 0), Pose(3, 4, 0)) == 5
    assert [steps_between(Pose(0, 0, 0), Pose(angle, 0, 0), 30) for angle in (0, 1, 30, 31, 61)] == [0, 1, 1, 2, 3]


def test_half_way_landmarks_are_the_mean() -> None:
    begin, end = face(), face(20)
    half, last = waypoints(begin, end, 2)
    assert np.allclose(half, (begin + end) / 2, atol=1e-4)
    assert last is end
    assert waypoints(begin, end, 0) == []
    thirds = waypoints(begin, end, 3)
    assert np.allclose(thirds[0], (2 * begin + end) / 3, atol=1e-4)


def test_no_step_is_the_view_itself_and_each_step_begins_where_the_last_ended() -> None:
    calls = []

    def step(view: Image, points: Points, goal: Points) -> Image:
        calls.append((points, goal))
        return view + np.uint8(1)

    view, begin, end = noise(), face(), face(20)
    assert reenacted(step, view, begin, waypoints(begin, end, 0)) is view
    assert not calls
    made = reenacted(step, view, begin, waypoints(begin, end, 2))
    assert np.array_equal(made, view + np.uint8(2))
    assert calls[0][0] is begin
    assert calls[0][1] is calls[1][0]
    assert calls[1][1] is end


def test_shares_are_not_negative_and_sum_to_one() -> None:
    poses = PoseMap(POSES)
    for yaw in np.linspace(-90, 90, 13):
        for pitch in np.linspace(-80, 80, 9):
            shares = poses.shares(Pose(float(yaw), float(pitch), 5))
            assert 1 <= len(shares) <= 3
            assert all(share > 0 for share in shares.values())
            assert sum(shares.values()) == pytest.approx(1)


def test_a_view_in_the_targets_pose_is_all_that_is_needed() -> None:
    poses = PoseMap(POSES)
    for number, pose in enumerate(POSES):
        assert poses.shares(pose) == {number: pytest.approx(1)}


def test_barycentric_shares_give_back_the_pose() -> None:
    poses = PoseMap(POSES)
    shares = poses.shares(Pose(10, 8, 0))
    assert len(shares) == 3
    middle = sum(share * np.array(POSES[number][:2]) for number, share in shares.items())
    assert np.allclose(middle, (10, 8), atol=1e-6)


def test_one_photo_serves_every_pose() -> None:
    poses = PoseMap([Pose(12, -3, 0)])
    for yaw, pitch in ((0, 0), (WIDEST, WIDEST), (-90, 0), (90, 20), (0, -WIDEST)):
        assert poses.shares(Pose(yaw, pitch, 0)) == {0: pytest.approx(1)}


def test_views_in_nearly_the_same_pose_are_one() -> None:
    assert PoseMap([Pose(0, 0, 0), Pose(1, 1, 9), Pose(10, 0, 0)]).kept == [0, 2]


def test_triangles_cover_the_square_and_hold_no_other_node() -> None:
    nodes = np.random.default_rng(0).uniform(-1, 1, (7, 2))
    nodes = np.concatenate([nodes, [[-2, -2], [2, -2], [-2, 2], [2, 2]]])
    areas = [
        abs(np.linalg.det(np.stack([nodes[b] - nodes[a], nodes[c] - nodes[a]]))) / 2 for a, b, c in delaunay(nodes)
    ]
    assert sum(areas) == pytest.approx(16)


def test_a_face_that_is_not_moved_stays_and_one_that_is_comes_to_its_place() -> None:
    picture = np.full((SIDE, SIDE, 3), 60, np.uint8)
    inside = outline_of(face(), SIDE) > 0
    picture[inside] = 200
    assert np.array_equal(moved(picture, face(), face()), picture)
    made = moved(picture, face(), face(right=12))
    there = outline_of(face(right=12), SIDE) > 0
    assert (made[there] > 150).mean() > 0.97
    assert (made[0] == 60).all()


def test_what_a_turned_head_hides_was_not_seen() -> None:
    assert facing(face()).mean() > 0.85
    assert pose_of(face(50)).yaw == pytest.approx(50, abs=1) or pose_of(face(50)).yaw == pytest.approx(-50, abs=1)
    seen = seen_at(facing(face(60)), face(), SIDE)
    inside = outline_of(face(), SIDE) > 0
    assert 0.1 < (seen[inside] < 128).mean() < 0.6
    assert (seen[~inside] == 255).mean() > 0.99
    assert (seen_at(facing(face()), face(), SIDE)[inside] == 255).mean() > 0.8
