"""A target's face at rest is learnt while it is seen, without a jump, whatever it does meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from people import NAMES, person, place_mesh

from rtswap.swappers.mesh.neutral_expression import LONGEST_STEP_S, REACH, SETTLE_S, WARM_S, NeutralExpression
from rtswap.swappers.mesh.shape import PERSONAL, SourceShape, mean_measures, measures, to_canonical
from rtswap.vision.geometry import canonical, interocular, transform
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE

FPS = 30


def frontal(mesh: np.ndarray) -> np.ndarray:
    return transform(to_canonical(mesh), mesh)


def acting(name: str, play: np.ndarray) -> list[np.ndarray]:
    """(N, 5) differences of measures from the person's photo -> their meshes, 300 px wide."""
    rest = frontal(person(name).landmarks)
    return [
        place_mesh(300, (320, 240), mesh=(rest + np.tensordot(row, canonical().expression, 1)).astype(np.float32))
        for row in play
    ]


def followed(source: str, meshes: list[np.ndarray], fps: float = FPS, **options: float) -> list[np.ndarray]:
    shape, neutral = SourceShape.of(person(source).landmarks), NeutralExpression(mean_measures(), PERSONAL)
    return [
        shape.destination(mesh, neutral=neutral, visibility=np.ones(468, np.float32), time_s=n / fps, **options)
        for n, mesh in enumerate(meshes)
    ]


def talk(seconds: float, fps: float = FPS) -> np.ndarray:
    """(N, 5) somebody who talks, smiles at times and blinks."""
    t = np.arange(int(seconds * fps)) / fps
    play = np.zeros((len(t), 5), np.float32)
    play[:, 0] = 0.06 * np.maximum(0, np.sin(9 * t)) * (np.sin(1.3 * t) > -0.3)
    play[:, 1] = 0.10 * np.clip(np.sin(0.9 * t), 0, 1)
    play[:, 2] = 0.03 * np.clip(np.sin(0.9 * t), 0, 1)
    play[:, 3:] = np.where((t % 3 > 2.8)[:, None], -0.08, 0)
    return play


@pytest.mark.parametrize(("source", "target"), [("ada", "ben"), ("carl", "dan"), ("ben", "ada")])
def test_mouth_smile_and_eyes_come_through(source: str, target: str) -> None:
    """Mouth opening, mouth width and eye openings of the output correlate with the target's, in every four seconds
    from the first on: 0.97 and more."""
    meshes = acting(target, talk(12))
    there = np.array([measures(frontal(mesh)) for mesh in meshes])
    here = np.array([measures(frontal(mesh)) for mesh in followed(source, meshes)])
    for start in range(0, len(meshes), 4 * FPS):
        part = slice(start, start + 4 * FPS)
        for axis in (0, 1, 3, 4):
            assert np.corrcoef(there[part, axis], here[part, axis])[0, 1] > 0.97


def test_at_rest_the_shape_is_the_source_s_own() -> None:
    """A wide-mouthed target at rest does not widen the source's mouth once it is known."""
    fps = 1 / LONGEST_STEP_S
    play = np.zeros((round((SETTLE_S + 1) * fps), 5), np.float32)
    play[:, 1] = 0.12
    found = followed("ada", acting("ben", play), fps)
    own = SourceShape.of(person("ada").landmarks).rest
    first, last = (abs(measures(frontal(found[n]))[1] - own[1]) for n in (0, -1))
    assert last < 0.5 * first


def test_one_picture_is_as_without_a_past() -> None:
    who, shape = person("ben").landmarks, SourceShape.of(person("ada").landmarks)
    assert followed("ada", [who])[0] == pytest.approx(shape.destination(who), abs=0.02)


@pytest.mark.parametrize(("source", "target"), [("ada", "ben"), ("carl", "dan"), ("ben", "ada")])
def test_expressions_are_followed_from_the_first_second_on(source: str, target: str) -> None:
    """Nothing is known of its rest yet; what it does is seen all the same."""
    play = np.zeros((FPS, 5), np.float32)
    play[FPS // 2 :, 0], play[FPS // 2 :, 1] = 0.08, 0.05
    meshes = acting(target, play)
    there, here = (
        np.diff([measures(frontal(mesh[n])) for n in (FPS // 2 - 1, FPS // 2 + 1)], axis=0)[0]
        for mesh in (meshes, followed(source, meshes))
    )
    assert here[:2] == pytest.approx(there[:2], rel=0.3)


@pytest.mark.parametrize("start", range(3), ids=["at rest", "with an open mouth", "in a blink"])
def test_it_never_jumps(start: int) -> None:
    """What is learnt moves a face that holds still by less than a pixel of 300 per frame."""
    play = np.zeros((FPS * 5, 5), np.float32)
    play[:, [0, 0, 3][start]] = [0, 0.2, -0.09][start]
    found = np.array(followed("carl", acting("dan", play)))
    assert np.abs(np.diff(found, axis=0)).max() < 1.0


def test_a_raised_brow_is_followed_except_at_expression_0() -> None:
    meshes = acting("ben", np.zeros((FPS * 4, 5), np.float32))
    up = meshes[-1].copy()
    up[LEFT_BROW, 1] -= 12
    lifts = {}
    for expression in (0.0, 1.0, 1.5):
        before, after = followed("ada", [*meshes, up], expression=expression)[-2:]
        lifts[expression] = float((before - after)[LEFT_BROW, 1].mean())
    assert lifts[1.0] > 6
    assert lifts[1.5] > lifts[1.0] + 2
    assert abs(lifts[0.0]) < 4  # what lies near the outline is the target's


def test_a_shut_eye_shuts_even_if_the_sources_eyes_are_wide() -> None:
    play = np.zeros((FPS * 4 + 1, 5), np.float32)
    rest = measures(frontal(person("ada").landmarks))
    play[-1, 3:] = -0.9 * rest[3:]
    found = followed("dan", acting("ada", play))
    meshes = acting("ada", play)
    shut, here = ([measures(frontal(mesh[n]))[3] for n in (-2, -1)] for mesh in (meshes, found))
    assert shut[1] < 0.35 * shut[0]
    assert here[1] / here[0] < shut[1] / shut[0] + 0.12


def test_a_smile_held_for_a_minute_stays_a_smile() -> None:
    neutral, mean = NeutralExpression(mean_measures(), PERSONAL), mean_measures()
    smile = mean + np.array([0.1, 0.4, 0.1, 0, 0], np.float32)
    for n in range(60 * 10):
        motion = neutral.update(smile, np.zeros((468, 3), np.float32), np.ones((468, 1), np.float32), n / 10)
    assert (np.abs(motion.rest - mean) <= REACH * PERSONAL + 1e-6).all()
    assert motion.rest[1] < smile[1] - 0.15


@pytest.mark.parametrize(("wider", "narrowed"), [(-0.1, 0.0), (0.0, 0.0), (0.2, 1.0)])
def test_a_single_picture_shows_whether_its_face_smiles(wider: float, narrowed: float) -> None:
    """Its own rest is unknown, so no picture had the folds and eyes of a smile."""
    neutral = NeutralExpression(mean_measures(), PERSONAL)
    measured = mean_measures() + np.array([0, 0.7 * wider, 0.3 * wider, 0, 0], np.float32)
    motion = neutral.update(measured, np.zeros((468, 3), np.float32), np.ones((468, 1), np.float32), 0.0)
    assert motion.narrowed == (narrowed, narrowed)


@pytest.mark.parametrize("fps", [8, 30, 120])
def test_time_counts_and_not_frames(fps: float) -> None:
    neutral = NeutralExpression(mean_measures(), PERSONAL)
    play = mean_measures() + talk(6, fps)
    step = min(1 / fps, LONGEST_STEP_S) * fps
    for n, row in enumerate(play):
        motion = neutral.update(row, np.zeros((468, 3), np.float32), np.ones((468, 1), np.float32), n / fps)
    share = 6 * step / SETTLE_S
    assert motion.settled == pytest.approx(3 * share**2 - 2 * share**3, abs=0.01)
    assert np.abs(motion.rest - mean_measures()).max() < 0.06
    assert WARM_S / step < 6


@pytest.mark.parametrize("name", NAMES)
def test_hidden_and_hostile_input_leaves_a_sound_mesh(name: str) -> None:
    rng, mesh = np.random.default_rng(0), person(name).landmarks
    shape, neutral = SourceShape.of(person("ada").landmarks), NeutralExpression(mean_measures(), PERSONAL)
    for time_s in (0.0, 0.1, 0.1, -5.0, 1e9, 1e9 + 0.03):
        visibility = rng.choice([0, 0.5, 1, np.nan], 468).astype(np.float32)
        moved = mesh + rng.normal(0, 3, mesh.shape).astype(np.float32)
        found = shape.destination(moved, neutral=neutral, visibility=visibility, time_s=time_s, expression=1.5)
        assert np.isfinite(found).all()
        assert np.linalg.norm(found - moved, axis=1).max() < interocular(mesh)
    hidden = shape.destination(mesh, neutral=neutral, visibility=np.zeros(468, np.float32), time_s=1e9 + 0.06)
    assert np.isfinite(hidden[LEFT_EYE]).all()
