"""More of the source than the photo shows, or less: nothing folds, nothing clips, noise does not grow."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from people import NAMES, person, place_mesh

from rtswap.swappers.mesh.shape import SourceShape, mean_measures
from rtswap.swappers.mesh.strength import areas, mean_features, strengthened
from rtswap.swappers.mesh.texture import Texture
from rtswap.swappers.mesh.uv_chart import inwards
from rtswap.vision.geometry import canonical

MESH = canonical().mesh
SIGN = np.sign(areas(MESH))
STRENGTHS = (0.0, 0.5, 0.8, 1.15, 1.3)


@cache
def shape(name: str) -> SourceShape:
    return SourceShape.of(person(name).landmarks)


@cache
def texture(name: str) -> Texture:
    return Texture.bake(person(name).portrait, person(name).landmarks, skin=False)


def different(one: SourceShape) -> float:
    """From the mean face, in inter-ocular distances."""
    return float(np.linalg.norm(one.frontal - MESH, axis=1).mean())


def test_one_is_the_source_itself() -> None:
    same = strengthened(shape("ada"), texture("ada"), 1.0)
    assert same[0] is shape("ada")
    assert same[1] is texture("ada")


@pytest.mark.parametrize("name", NAMES)
def test_the_outline_differs_more_or_less(name: str) -> None:
    now = [different(strengthened(shape(name), texture(name), strength)[0]) for strength in (0.0, 0.5, 0.8)]
    now += [different(shape(name)), different(strengthened(shape(name), texture(name), 1.3)[0])]
    assert now == sorted(now)
    assert now[0] < 0.35 * now[3]
    assert now[4] > 1.1 * now[3]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_no_triangle_turns_over(name: str, strength: float) -> None:
    before, after = (
        areas(shape(name).frontal) * SIGN,
        areas(strengthened(shape(name), texture(name), strength)[0].frontal) * SIGN,
    )
    assert (after[before > 0] > 0).all()


def test_strange_faces_are_exaggerated_only_until_something_would_fold() -> None:
    strange = MESH + 0.022 * np.random.default_rng(3).normal(size=MESH.shape).astype(np.float32)
    own = SourceShape.of(strange)
    before = areas(own.frontal) * SIGN
    folded = MESH + 1.3 * (own.frontal - MESH)
    assert (areas(folded) * SIGN < 0)[before > 0].any(), "the test is too easy"
    after = areas(strengthened(own, texture("ada"), 1.3)[0].frontal) * SIGN
    assert (after[before > 0] > 0).all()


def test_the_expression_in_the_photo_is_not_exaggerated() -> None:
    """A mouth that is open in the photo is an expression, not somebody's features."""
    calm = shape("ben")
    opened = SourceShape.of((calm.frontal + 0.3 * canonical().expression[0]).astype(np.float32))
    calm_more, opened_more = (strengthened(one, texture("ben"), 1.3)[0] for one in (calm, opened))
    assert opened_more.measured[0] - opened.measured[0] < 0.06
    np.testing.assert_allclose(opened_more.rest[1:], calm_more.rest[1:], atol=0.03)
    at_rest = place_mesh(200, (200, 200))
    ends = [one.destination(at_rest) for one in (calm_more, opened_more)]
    assert np.linalg.norm(ends[0] - ends[1], axis=1).mean() < 3.5


def test_the_mean_face_has_no_shape_to_exaggerate() -> None:
    mean = SourceShape.of(MESH)
    same, _ = strengthened(mean, texture("ada"), 1.3)
    np.testing.assert_allclose(same.frontal, mean.frontal, atol=0.05)
    np.testing.assert_allclose(same.measured[1:], mean_measures()[1:], atol=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_noise_and_pores_are_not_made_stronger(name: str) -> None:
    def fine(image: np.ndarray) -> float:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)[170:340, 90:420]
        return float((grey - cv2.GaussianBlur(grey, (0, 0), 1.5)).std() / grey.mean())

    own, more = texture(name), strengthened(shape(name), texture(name), 1.3)[1]
    assert fine(more.full) < 1.12 * fine(own.full)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_colours_stay_in_range_and_tone_stays(strength: float) -> None:
    for name in NAMES:
        own, now = (
            one.full[120:400, 80:430].astype(int)
            for one in (texture(name), strengthened(shape(name), texture(name), strength)[1])
        )
        assert (now <= 1).mean() <= (own <= 3).mean()
        assert (now >= 254).mean() <= (own >= 252).mean()
        np.testing.assert_allclose(now.mean((0, 1)), own.mean((0, 1)), rtol=0.1)


def test_extreme_pictures_stay_pictures() -> None:
    for level in (0, 255):
        flat = np.full((512, 512, 3), level, np.uint8)
        plain = Texture.of(flat, *[np.full((128, 128), 255, np.uint8)] * 2)
        for strength in STRENGTHS:
            levels = strengthened(shape("ada"), plain, strength)[1].levels
            assert [one.shape for one in levels] == [one.shape for one in plain.levels]
            assert level or all(one.max() < 9 for one in levels), "black skin gets features it does not have"
            assert strength < 1 or all(np.abs(one.astype(int) - level).max() < 90 for one in levels)


def test_at_zero_two_people_look_alike() -> None:
    inside = inwards() > 0.12

    def features(image: np.ndarray) -> np.ndarray:
        grey = cv2.cvtColor(cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        inner = inside.astype(np.float32)
        light = cv2.GaussianBlur((grey + 4.0) * inner, (0, 0), 10) / (cv2.GaussianBlur(inner, (0, 0), 10) + 1e-3)
        return np.log(cv2.GaussianBlur(grey + 4.0, (0, 0), 1)[inside] / light[inside])

    def alike(strength: float) -> float:
        one, other = (
            features(strengthened(shape(name), texture(name), strength)[1].full) for name in ("ada", "carl")
        )
        return float(np.abs(one - other).mean())

    assert alike(0.0) < 0.55 * alike(1.0)
    assert alike(1.3) > 1.05 * alike(1.0)


def test_the_mean_has_no_light_of_its_own() -> None:
    inner = mean_features()[30:98, 30:98]
    assert 0.3 < inner.min() < 0.75 < 1.0 < inner.max() < 1.6
    assert (np.abs(inner - inner[:, ::-1]) > 0.02).mean() < 0.01
