"""The destination mesh: the source's form, the target's pose, expression and outline."""

from __future__ import annotations

import numpy as np
import pytest
from people import NAMES, person, place_mesh

from rtswap.swappers.mesh.shape import (
    CORNERS_FOLLOW,
    EYES_FOLLOW,
    MOUTH_EXCESS,
    MOUTH_LARGE,
    PERSONAL,
    SourceShape,
    inner_weights,
    measures,
    to_canonical,
)
from rtswap.vision.geometry import canonical, interocular, similarity, transform
from rtswap.vision.topology import LEFT_EYE, LIPS_INNER, OVAL, RIGHT_EYE

INNER = np.setdiff1d(np.arange(468), OVAL)


def measured(mesh: np.ndarray) -> np.ndarray:
    return measures(transform(to_canonical(mesh), mesh))


def frontal(name: str) -> np.ndarray:
    points = person(name).landmarks
    return transform(to_canonical(points), points)


@pytest.mark.parametrize("name", NAMES)
def test_a_face_put_on_itself_stays_where_it_is(name: str) -> None:
    points = person(name).landmarks
    found = SourceShape.of(points).destination(points)
    assert np.linalg.norm(found - points, axis=1).max() < 0.3


@pytest.mark.parametrize(("source", "target"), [("ada", "ben"), ("carl", "dan"), ("dan", "ada")])
def test_the_outline_is_the_target_s_and_the_features_the_source_s(source: str, target: str) -> None:
    goal = person(target).landmarks
    found = SourceShape.of(person(source).landmarks).destination(goal)
    assert found.shape == (468, 3)
    assert found.dtype == np.float32
    assert np.array_equal(found[OVAL], goal[OVAL])
    own = frontal(source)
    rest = (inner_weights()[:, 0] == 1) & (np.abs(canonical().expression).max((0, 2)) < 0.02)
    assert rest.sum() > 20
    form = transform(to_canonical(goal), found)[rest]
    assert np.abs(form - own[rest]).max() < 0.06
    assert np.abs(form - frontal(target)[rest]).max() > 2 * np.abs(form - own[rest]).max()


def test_the_pose_is_the_target_s() -> None:
    """However the target is turned, moved and scaled, the destination goes along as one body."""
    rng = np.random.default_rng(1)
    shape, form = SourceShape.of(person("ada").landmarks), person("ben").landmarks
    still = place_mesh(200, (300, 200), mesh=form)
    before = shape.destination(still)
    for _ in range(40):
        yaw, pitch, roll = rng.uniform((-90, -60, -180), (90, 60, 180))
        size = rng.uniform(10, 1500)
        turned = place_mesh(size, tuple(rng.uniform(-500, 2000, 2)), yaw=yaw, pitch=pitch, roll=roll, mesh=form)
        goal = transform(similarity(still, turned), before)
        assert np.abs(shape.destination(turned) - goal).max() < 2e-3 * size


@pytest.mark.parametrize(
    "axis", range(5), ids=["mouth opens", "mouth widens", "corners rise", "left eye", "right eye"]
)
@pytest.mark.parametrize("amount", [-0.06, 0.12])
def test_expressions_follow_the_target(axis: int, amount: float) -> None:
    shape, rest = SourceShape.of(person("ada").landmarks), frontal("ben").astype(np.float32)
    other = (rest + amount * canonical().expression[axis]).astype(np.float32)
    own, before, after = (measured(mesh) for mesh in (person("ada").landmarks, rest, other))
    followed = measured(shape.destination(other)) - measured(shape.destination(rest))
    asked = followed_part(after - own, axis) - followed_part(before - own, axis)
    assert followed[axis] / asked == pytest.approx(1, abs=0.2)


def followed_part(difference: np.ndarray, axis: int) -> float:
    """Of the eyes what lies beyond how people differ, and a part of what does not; of the mouth its opening, and what
    width and corners tell together, and somewhat more."""
    if axis > 2:
        personal = float(np.clip(difference[axis], -PERSONAL[axis], PERSONAL[axis]))
        return float(difference[axis]) - (1 - EYES_FOLLOW) * personal
    told = float(CORNERS_FOLLOW[axis - 1] @ difference[1:3] if axis else difference[0])
    return told + float(MOUTH_EXCESS[axis] * MOUTH_LARGE[axis] * np.tanh(told / MOUTH_LARGE[axis]))


def test_raised_corners_tell_a_smile_from_a_wide_mouth() -> None:
    shape, rest = SourceShape.of(person("ada").landmarks), frontal("ben").astype(np.float32)
    _, wide, corners, *_ = canonical().expression

    def widened(mesh: np.ndarray) -> float:
        return float((measured(shape.destination(mesh)) - measured(shape.destination(rest)))[1])

    assert widened(rest + 0.1 * wide + 0.035 * corners) > 0.09
    assert widened(rest + 0.1 * wide) < 0.08


def test_an_opened_mouth_and_shut_eyes_in_pixels() -> None:
    shape, rest = SourceShape.of(person("dan").landmarks), frontal("carl")
    directions = canonical().expression
    speaking = rest + 0.3 * directions[0] - 0.15 * (directions[3] + directions[4])

    def heights(mesh: np.ndarray) -> list[float]:
        found = shape.destination(place_mesh(300, (400, 400), yaw=20, mesh=mesh.astype(np.float32)))
        return [float(np.ptp(found[ring, 1])) for ring in (LIPS_INNER, LEFT_EYE, RIGHT_EYE)]

    scale = 300 / float(np.ptp(rest[:, 0]))
    mouth, left, right = np.array(heights(speaking)) - heights(rest)
    assert mouth > 0.2 * scale
    assert max(left, right) < -0.04 * scale


def test_measures_are_lengths_on_the_canonical_face() -> None:
    mesh = canonical().mesh
    opening, width, _, left, right = measures(mesh)
    assert opening == pytest.approx(np.linalg.norm(mesh[13] - mesh[14]), abs=1e-6)
    assert 0 <= opening < 0.2 < width < 1.2
    assert left == pytest.approx(right, abs=1e-4)
    assert 0.05 < left < 0.3


def test_a_photo_turned_away_gives_the_same_shape() -> None:
    form = person("ben").landmarks
    straight = SourceShape.of(form).frontal
    turned = SourceShape.of(place_mesh(170, (80, 90), yaw=40, pitch=-10, roll=25, mesh=form)).frontal
    assert np.abs(straight - turned).max() < 1e-3
    assert interocular(straight) == pytest.approx(1, abs=0.15)


def test_the_fade_is_0_on_the_outline_and_1_in_the_middle() -> None:
    weights = inner_weights()
    assert weights.shape == (468, 1)
    assert not weights[OVAL].any()
    assert (weights[[1, *LIPS_INNER]] > 0.99).all()
    assert (weights[INNER] > 0).all()
    assert weights[canonical().mirror] == pytest.approx(weights, abs=1e-4)
