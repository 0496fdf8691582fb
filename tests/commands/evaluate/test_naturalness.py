"""Each fault of a swapped face, painted: its figure tells it, and is silent without it."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from people import face_models, place_mesh

from rtswap.commands.evaluate.clip_metrics import film_figures
from rtswap.commands.evaluate.clips import Clip, Swap, mesh_in
from rtswap.commands.evaluate.figures import PAIRS, worst_first, worst_tenth
from rtswap.commands.evaluate.landmark_judge import own_judge
from rtswap.commands.evaluate.naturalness import (
    SIDE,
    Spread,
    blotches,
    lid_darkness,
    skin_mask,
    skin_tone,
    spread,
    step,
)
from rtswap.commands.evaluate.tones import by_distance, by_groups, group_of, tone_tables, tones_json
from rtswap.core.errors import InputError
from rtswap.core.types import Image, Points
from rtswap.vision.raster import fill
from rtswap.vision.talking_head import AnimatedHead, Motion, persona
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE

WIDTH, SIZE = 240.0, 400
TONES = {"light": (150, 175, 225), "dark": (45, 62, 95)}
"""BGR."""


def face_mesh() -> Points:
    return place_mesh(WIDTH, (SIZE / 2, SIZE / 2))


def paint(tone: str, *, rough: float = 6.0) -> Image:
    """A face of one tone: skin with soft blotches of its own, features, hair above, a background."""
    mesh, rng = face_mesh(), np.random.default_rng(3)
    skin = np.array(TONES[tone], np.float32)
    own = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE, 3)).astype(np.float32), (0, 0), 0.05 * WIDTH)
    picture = np.full((SIZE, SIZE, 3), (140, 120, 110), np.float32)
    head = np.zeros((SIZE, SIZE), np.uint8)
    middle = mesh[OVAL, :2].mean(0)
    fill(head, [middle + 1.25 * (mesh[OVAL, :2] - middle)], 255)
    light = np.linspace(1.1, 0.9, SIZE, dtype=np.float32)[None, :, None]
    picture[head > 0] = (skin * light * (1 + rough / 255 * own / own.std()))[head > 0]
    for part, color in (
        (LEFT_EYE, (60, 50, 40)), (RIGHT_EYE, (60, 50, 40)), (LEFT_BROW, (30, 35, 40)), (RIGHT_BROW, (30, 35, 40)),
        (LIPS_OUTER, (0.6 * skin[0], 0.5 * skin[1], 0.95 * skin[2])),
    ):  # fmt: skip
        hull = cv2.convexHull(mesh[part, :2].astype(np.float32))[:, 0]
        cv2.fillPoly(picture, [np.rint(hull).astype(np.int32)], tuple(float(value) for value in color))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def spot(picture: Image, at: tuple[float, float], radius: float, change: tuple[float, float, float]) -> Image:
    """A soft spot of another colour; ``at`` and ``radius`` in face widths from the face's middle."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    away = np.hypot(x - SIZE / 2 - at[0] * WIDTH, y - SIZE / 2 - at[1] * WIDTH)
    weight = np.exp(-0.5 * (away / (radius * WIDTH)) ** 2)[..., None]
    return np.clip(np.rint(picture + weight * np.array(change, np.float32)), 0, 255).astype(np.uint8)


def rated(picture: Image, tone: str = "light", source: str = "dark") -> Spread:
    own, other = (spread(paint(one), face_mesh()) for one in (tone, source))
    return blotches(spread(picture, face_mesh()), other, own)


@pytest.mark.parametrize("tone", TONES)
def test_a_face_as_it_was_has_no_blotches(tone: str) -> None:
    assert max(rated(paint(tone), tone)) <= 1.0
    assert max(rated(np.clip(paint(tone) * 0.9, 0, 255).astype(np.uint8), tone)) < 1.1, "a little darker is no blotch"


@pytest.mark.parametrize("tone", TONES)
def test_a_teal_patch_is_chroma(tone: str) -> None:
    chroma, light = rated(spot(paint(tone), (0.25, 0.1), 0.08, (40, 30, -55)), tone)
    assert chroma > 1.4
    assert chroma > light


def test_glare_is_light() -> None:
    chroma, light = rated(spot(paint("dark"), (-0.2, 0.1), 0.05, (90, 90, 90)), "dark")
    assert light > 1.5
    assert light > chroma


def test_a_stain_of_hair_is_chroma_or_light() -> None:
    stained = paint("light")
    cv2.line(stained, (SIZE // 2 - 95, SIZE // 2 - 90), (SIZE // 2 - 85, SIZE // 2), (70, 95, 140), 9, cv2.LINE_AA)
    assert max(rated(stained)) > 1.3


def test_pores_and_a_side_light_are_not_blotches() -> None:
    rng = np.random.default_rng(1)
    picture = paint("light").astype(np.float32)
    pores = picture + rng.normal(0, 6, (SIZE, SIZE, 1))
    side = picture * np.linspace(1.05, 0.85, SIZE)[None, :, None]
    for other in (pores, side):
        assert max(rated(np.clip(np.rint(other), 0, 255).astype(np.uint8))) < 1.15


def inner_mask() -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mesh = face_mesh()
    middle = mesh[OVAL, :2].mean(0)
    fill(mask, [middle + 0.9 * (mesh[OVAL, :2] - middle)], 255)
    return mask


@pytest.mark.parametrize("tone", TONES)
def test_a_step_at_the_seam_counts_and_the_targets_own_edge_does_not(tone: str) -> None:
    before, mask = paint(tone), inner_mask()
    assert step(before, before, mask, face_mesh()) == pytest.approx(0, abs=1e-6)
    after = np.where(mask[..., None] > 127, np.rint(0.85 * before), before).astype(np.uint8)
    assert step(before, after, mask, face_mesh()) > 0.5
    assert step(after, after, mask, face_mesh()) == pytest.approx(0, abs=1e-6), "the target has that edge itself"
    assert step(after, before, mask, face_mesh()) < -0.5
    assert np.isnan(step(before, after, np.zeros_like(mask), face_mesh()))


def test_the_size_of_a_photo_does_not_matter() -> None:
    picture, mesh = spot(paint("light"), (0.2, 0.1), 0.06, (30, 20, -30)), face_mesh()
    large = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    doubled = (mesh * 2 + np.array([0.5, 0.5, 0])).astype(np.float32)
    assert spread(np.asarray(large, np.uint8), doubled) == pytest.approx(spread(picture, mesh), rel=0.05)
    with pytest.raises(InputError, match="do not form a face"):
        spread(picture, np.zeros((468, 3), np.float32))


def test_skin_leaves_out_eyes_brows_lips_and_the_background() -> None:
    mesh = place_mesh(200, (SIDE / 2, SIDE / 2))[:, :2]
    mask = skin_mask(mesh, SIDE)
    for ring in (LEFT_EYE, RIGHT_BROW, LIPS_OUTER):
        x, y = np.rint(mesh[ring].mean(0)).astype(int)
        assert not mask[y, x]
    for cheek in (50, 280):
        x, y = np.rint(mesh[cheek]).astype(int)
        assert mask[y, x]
    assert not mask[5, 5]


@cache
def head() -> AnimatedHead:
    picture = persona("ben")
    return AnimatedHead(picture, mesh_in(picture, face_models()), 220)


def speaking(*, share: float = 1.0, slit: bool = False) -> list[Image]:
    """A head that opens its mouth by ``share`` of what it should, and blinks; ``slit``: its closed lids are black."""
    frames = []
    for n in range(24):
        opening, lids = 0.16 * np.sin(n / 4) ** 2, -0.2 if n % 12 > 8 else 0.0
        motion = Motion(0, 0, 0, share * float(opening), lids, (0, 0))
        picture, _ = head().render(motion)
        if slit and lids:
            for ring in (LEFT_EYE, RIGHT_EYE):
                fill(picture, [head().mesh(motion)[ring, :2] * np.float32(1)], 20)
                x, y = head().mesh(motion)[ring, :2].mean(0)
                cv2.ellipse(picture, (round(x), round(y)), (18, 5), 0, 0, 360, (20, 20, 20), -1)
        picture[-2:, -2:] = n  # something that changes
        frames.append(picture)
    return frames


def test_a_narrowed_mouth_has_less_gain_and_a_slit_is_dark() -> None:
    clip = Clip("speaks", speaking(), [n / 30 for n in range(24)])
    sound, none = np.ones(24, bool), np.zeros(24, bool)

    def swap(images: list[Image]) -> Swap:
        for image in images:
            region = image[60:160, 60:160]
            region += np.where(region < 255, 1, 0).astype(np.uint8)
        return Swap(images, sound, none)

    swaps = [swap(speaking()), swap(speaking(share=0.6)), swap(speaking(slit=True))]
    same, narrow, slit = film_figures(clip, swaps, own_judge(face_models()), face_models())
    assert same["mouth_opening_gain"] == pytest.approx(1, abs=0.1)
    assert same["mouth_opening"] > 0.97
    assert narrow["mouth_opening_gain"] < 0.7
    assert abs(same["lids"]) < 0.02
    assert slit["lids"] > 0.1


@pytest.mark.parametrize("tone", TONES)
def test_a_slit_on_closed_lids_is_dark_and_a_lash_line_is_not(tone: str) -> None:
    mesh = face_mesh()
    for ring in (LEFT_EYE, RIGHT_EYE):
        middle = mesh[ring, 1].mean()
        mesh[ring, 1] = middle + 0.15 * (mesh[ring, 1] - middle)
    lids = np.full((SIZE, SIZE, 3), TONES[tone], np.uint8)
    slit = lids.copy()
    for ring in (LEFT_EYE, RIGHT_EYE):
        ends = [tuple(int(value) for value in np.rint(mesh[n, :2])) for n in (ring[0], ring[8])]
        cv2.line(lids, *ends, [round(0.6 * value) for value in TONES[tone]], 1, cv2.LINE_AA)
        cv2.line(slit, *ends, (8, 8, 10), 5, cv2.LINE_AA)
    assert lid_darkness(lids, mesh) < 0.15
    assert lid_darkness(slit, mesh) > 0.35


def row(chroma: float, light: float, tones: float, angles: tuple[float, float] = (50, 50)) -> dict[str, float]:
    return {
        "chroma": chroma, "light": light, "step": 0.1, "to_source": 0.8, "margin": 0.5, "tones": tones,
        "source_angle": angles[0], "target_angle": angles[1],
    }  # fmt: skip


def test_tones_are_separated_and_a_group_served_worse_is_visible() -> None:
    light, dark = (skin_tone(paint(one), face_mesh()) for one in ("light", "dark"))
    assert group_of(light.typology_angle) == "light"
    assert group_of(dark.typology_angle) == "dark"
    assert light.distance(dark) > 25
    assert light.distance(light) == 0
    rows = [row(0.8, 0.9, 5), row(0.9, 0.9, 12), row(2.0, 1.5, 30, (-40, 50)), row(1.8, 1.2, 31, (-40, 50))]
    assert [len(of) for of in by_distance(rows).values()] == [1, 1, 2]
    assert len(by_groups(rows)["dark", "light"]) == 2
    found = {line["tones"]: line for line in tones_json(rows)}
    assert found["dark on light"]["chroma"] == pytest.approx(1.9)
    assert found["dark on light"]["chroma_worst_tenth"] == pytest.approx(2.0)
    assert found["light on light"]["pairs"] == 2
    assert "dark on dark" not in found
    assert len(tone_tables("mesh", rows)) == 2


def test_worst_first_and_the_worst_tenth() -> None:
    rows = [row(0.8, 0.9, 5), row(2.0, 1.5, 5), row(1.0, 1.0, 5)]
    chroma, light = (next(one for one in PAIRS if one.key == key) for key in ("chroma", "light"))
    assert worst_first((chroma, light), rows) == [1, 2, 0]
    assert worst_tenth(chroma, rows) == 2.0
    assert worst_tenth(chroma, [row(n, 1, 5) for n in range(20)]) == 18.5
    assert np.isnan(worst_tenth(chroma, []))
