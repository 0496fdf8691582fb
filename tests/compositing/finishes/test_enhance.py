"""Enhancers: what they are shown, where their difference is laid, how often they run, that it follows the face."""

from __future__ import annotations

from pathlib import Path

import cv2
import foreign_models as foreign
import numpy as np
import pytest
from imported_swappers import ENGINES, Counted
from people import place_mesh

from rtswap.compositing.finishes.enhance import Enhance
from rtswap.core.errors import ModelError
from rtswap.core.types import Quality, SwappedFace, Target
from rtswap.networks.catalog import imported_models
from rtswap.networks.model_store import add
from rtswap.vision.geometry import keypoints_of, transform
from rtswap.vision.templates import TEMPLATES, placement

pytestmark = pytest.mark.usefixtures("models")

SIDE = 200


def make(
    folder: Path, content: bytes, name: str, engine: str = "onnxruntime", **wanted: float
) -> tuple[Enhance, Counted]:
    (path,) = foreign.write(folder, **{name: content}).values()
    add(path, kind=name)
    counted = Counted(ENGINES[engine](content))
    return Enhance(counted, imported_models()[name], **wanted), counted  # type: ignore[arg-type]


def case(time_s: float = 0.0, *, at: float = 100.0, roll: float = 0.0) -> tuple[SwappedFace, Target]:
    y, x = np.mgrid[:SIDE, :SIDE]
    crop = np.dstack([40 + x / 3, 60 + y / 3, 90 + (x + y) / 6]).round().astype(np.uint8)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(mask, (100, 100), 80, 255, -1)
    landmarks = place_mesh(120, (at, 100), roll=roll)
    target = np.full_like(crop, 77)
    target.setflags(write=False)
    return SwappedFace(crop, mask), Target(1, target, landmarks, np.ones(468, np.float32), time_s)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "side", "template"), [("gfpgan_1.4", 512, "ffhq"), ("gpen_bfr_256", 256, "arcface-128")]
)
def test_the_face_is_aligned_normalised_and_its_change_laid_where_it_was_taken(
    tmp_path: Path, engine: str, name: str, side: int, template: str
) -> None:
    """The made-up enhancer adds 0.2 of -1..1, which is 25.5 levels."""
    step, counted = make(tmp_path, foreign.enhancer(side), name, engine, blend=1.0)
    swapped, face = case(roll=9)
    before = swapped.crop.copy()
    found = step.apply(swapped, face, Quality())
    matrix = placement(keypoints_of(face.landmarks), template, side)
    corners = [0, 1, 3, 4]
    at = transform(matrix, keypoints_of(face.landmarks))[corners]
    assert np.abs(at - TEMPLATES[template][corners] * side).max() < 0.06 * side
    over = np.where(swapped.mask[..., None] > 0, before, face.crop)
    expected = cv2.warpAffine(over, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)[..., ::-1] / 127.5 - 1
    taken = counted.inputs[0]["input"]
    assert np.abs(taken[0].transpose(1, 2, 0) - expected).mean() < 0.01
    change = found.crop.astype(int) - before
    inside = cv2.warpAffine(np.ones((side, side), np.uint8), cv2.invertAffineTransform(matrix), (SIDE, SIDE))
    core = cv2.erode(inside, np.ones((7, 7), np.uint8)) > 0
    assert np.abs(change[core] - 25.5).max() <= 1.6
    assert not change[cv2.dilate(inside, np.ones((5, 5), np.uint8)) == 0].any()
    assert np.array_equal(found.mask, swapped.mask)


def test_blend_is_a_share_of_the_change(tmp_path: Path) -> None:
    step, _ = make(tmp_path, foreign.enhancer(256), "gpen_bfr_256", blend=0.4)
    swapped, face = case()
    before = swapped.crop.copy()
    change = step.apply(swapped, face, Quality()).crop.astype(int) - before
    assert abs(change[100, 100] - 10.2).max() <= 1


@pytest.mark.parametrize("weight", [0.1, 0.5])
def test_codeformer_is_given_its_weight_in_its_own_type(tmp_path: Path, weight: float) -> None:
    step, counted = make(tmp_path, foreign.enhancer(weight=True), "codeformer", weight=weight, blend=1.0)
    swapped, face = case()
    before = swapped.crop.copy()
    change = step.apply(swapped, face, Quality()).crop.astype(int) - before
    assert counted.inputs[0]["weight"].dtype == np.float64
    assert counted.inputs[0]["weight"] == weight
    assert abs(change[100, 100] - weight * 127.5).max() <= 1


def test_it_runs_on_every_nth_frame_and_follows_the_face_in_between(tmp_path: Path) -> None:
    step, counted = make(tmp_path, foreign.enhancer(256), "gpen_bfr_256", every=3, blend=1.0)
    edges = []
    for frame in range(7):
        swapped, face = case(frame / 30, at=100.0 + 4 * frame)
        before = swapped.crop.copy()
        change = step.apply(swapped, face, Quality()).crop.astype(int) - before
        edges.append(int(np.nonzero(change[100, :, 1])[0][0]))
    assert len(counted.inputs) == 3
    assert np.abs(np.diff(edges) - 4).max() <= 1, "the change moves with the face in every frame"


def test_a_new_difference_is_blended_with_the_last(tmp_path: Path) -> None:
    step, counted = make(tmp_path, foreign.enhancer(256), "gpen_bfr_256", blend=1.0)
    engine = counted.run
    amount = iter([0.2, 0.4, 0.4])
    counted.run = lambda inputs: {"output": inputs["input"] + np.float32(next(amount))}  # type: ignore[method-assign]
    found = []
    for frame in range(3):
        swapped, face = case(frame / 30)
        before = swapped.crop.copy()
        found.append(int((step.apply(swapped, face, Quality()).crop.astype(int) - before)[100, 100, 1]))
    share = 1 - np.exp(-1 / 30 / 0.05)
    assert abs(found[0] - 25.5) <= 1
    assert abs(found[1] - (25.5 + share * 25.5)) <= 1
    assert found[1] < found[2] < 51
    assert engine is not None


def test_without_time_the_last_change_stays_and_a_pause_or_another_face_begins_anew(tmp_path: Path) -> None:
    step, counted = make(tmp_path, foreign.enhancer(256), "gpen_bfr_256", blend=1.0)
    cheap = Quality(match_color=False)
    swapped, face = case()
    before = swapped.crop.copy()
    assert np.array_equal(step.apply(swapped, face, cheap).crop, before)
    assert counted.inputs == []
    step.apply(*case(0.1), Quality())
    swapped, face = case(0.2)
    before = swapped.crop.copy()
    assert not np.array_equal(step.apply(swapped, face, cheap).crop, before)
    assert len(counted.inputs) == 1
    swapped, face = case(5.0)
    assert np.array_equal(step.apply(swapped, face, cheap).crop, before)
    step.apply(*case(5.1), Quality())
    step.forget(1)
    swapped, face = case(5.2)
    assert np.array_equal(step.apply(swapped, face, cheap).crop, before)


def test_invalid_images_are_an_error(tmp_path: Path) -> None:
    step, counted = make(tmp_path, foreign.enhancer(256), "gpen_bfr_256")
    counted.run = lambda inputs: {"output": inputs["input"] * np.nan}  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="returns no image"):
        step.apply(*case(), Quality())
