"""Parts and kept parts: inside nothing is swapped or all is, edges are soft, nothing flips from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from people import place_mesh

from rtswap.compositing.finishes.parts import HIDDEN, KEPT, PARTS, SEEN, PartsMask
from rtswap.core.errors import ConfigError
from rtswap.core.types import Quality, SwappedFace, Target
from rtswap.vision.topology import CHIN, FOREHEAD, LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, NOSE_TIP, RIGHT_EYE

SIDE = 240
CHEEK = 50
SPOTS = {
    "eyes": [*LEFT_EYE, *RIGHT_EYE],
    "nose": [NOSE_TIP, 5, 195],
    "mouth": [*LIPS_OUTER, *LIPS_INNER],
    "elsewhere": [CHIN, FOREHEAD, CHEEK],
}


def face(visible: float = 1.0, time_s: float = 0.0, *, hidden: Sequence[int] = (), track: int = 1) -> Target:
    visibility = np.full(468, visible, np.float32)
    visibility[list(hidden)] = 0
    landmarks = place_mesh(180, (SIDE / 2, SIDE / 2))
    return Target(track, np.zeros((SIDE, SIDE, 3), np.uint8), landmarks, visibility, time_s)


def mask_of(step: PartsMask, target: Target) -> np.ndarray:
    swapped = SwappedFace(np.full((SIDE, SIDE, 3), 9, np.uint8), np.full((SIDE, SIDE), 255, np.uint8))
    found = step.apply(swapped, target, Quality())
    assert (found.crop == 9).all()
    return found.mask


def at(mask: np.ndarray, target: Target, spot: str) -> np.ndarray:
    x, y = np.round(target.landmarks[SPOTS[spot], :2]).astype(int).T
    return mask[y, x]


@pytest.mark.parametrize("parts", [["eyes"], ["nose"], ["mouth"], ["eyes", "mouth"], ["mouth", "mouth"]], ids=str)
def test_only_these_parts_are_swapped(parts: list[str]) -> None:
    target = face()
    mask = mask_of(PartsMask(parts, []), target)
    for spot in SPOTS:
        values = at(mask, target, spot)
        if spot in parts:
            assert values.min() > 240
        elif spot == "elsewhere":
            assert values.max() == 0
        else:
            assert values.min() < 128


def test_brows_go_with_the_eyes_when_swapped_but_are_not_kept_with_them() -> None:
    target = face()
    x, y = np.round(target.landmarks[LEFT_BROW, :2]).astype(int).T
    assert mask_of(PartsMask(["eyes"], []), target)[y, x].min() > 240
    assert mask_of(PartsMask(["all"], ["eyes"]), target)[y, x].mean() > 100


@pytest.mark.parametrize("keep", [["eyes"], ["mouth"], ["eyes", "mouth"]], ids=str)
def test_kept_parts_are_the_target_s_own(keep: list[str]) -> None:
    target = face()
    mask = mask_of(PartsMask(["all"], keep), target)
    for spot in ("eyes", "mouth"):
        values = at(mask, target, spot)
        assert values.max() < 16 if spot in keep else values.min() > 240
    assert at(mask, target, "elsewhere").min() > 240


@pytest.mark.parametrize(("parts", "keep"), [(["nose"], []), (["all"], ["mouth"]), (["all"], ["eyes"])], ids=str)
def test_edges_are_soft(parts: list[str], keep: list[str]) -> None:
    mask = mask_of(PartsMask(parts, keep), face()).astype(int)
    steps = max(np.abs(np.diff(mask, axis=axis)).max() for axis in (0, 1))
    assert steps < 45


@pytest.mark.parametrize(("parts", "keep"), [([], []), (["all"], []), (["all", "nose"], [])], ids=str)
def test_the_whole_face_costs_nothing(parts: list[str], keep: list[str]) -> None:
    assert (mask_of(PartsMask(parts, keep), face()) == 255).all()


def test_a_part_that_is_kept_is_not_swapped_even_if_named() -> None:
    target = face()
    assert at(mask_of(PartsMask(["nose", "mouth"], ["mouth"]), target), target, "mouth").max() < 16


def kept(step: PartsMask, visible: float, time_s: float) -> bool:
    target = face(time_s=time_s)
    target.visibility[LIPS_OUTER] = visible
    return bool(at(mask_of(step, target), target, "mouth").mean() < 128)


def test_a_hidden_mouth_is_not_kept_and_comes_back() -> None:
    step = PartsMask(["all"], ["mouth"])
    assert kept(step, 1.0, 0.0)
    assert not kept(step, 0.0, 5.0)
    assert not kept(step, (HIDDEN + SEEN) / 2, 10.0)
    assert kept(step, SEEN + 0.05, 15.0)
    assert kept(step, (HIDDEN + SEEN) / 2, 20.0)


def test_wavering_visibility_changes_nothing() -> None:
    step = PartsMask(["all"], ["mouth"])
    rng = np.random.default_rng(0)
    means = []
    for frame in range(60):
        target = face(time_s=frame / 30)
        target.visibility[LIPS_OUTER] = rng.uniform(HIDDEN + 0.01, SEEN - 0.01)
        means.append(mask_of(step, target).mean())
    assert np.ptp(means) == 0


def test_it_fades_out() -> None:
    step = PartsMask(["all"], ["mouth"])
    means = [mask_of(step, face(1.0, 0.0)).mean()]
    for frame in range(1, 31):
        means.append(mask_of(step, face(hidden=LIPS_OUTER, time_s=frame / 30)).mean())
    steps = np.diff(means)
    assert (steps > -0.01).all()
    assert steps.max() < 0.35 * (means[-1] - means[0])
    assert means[-1] == pytest.approx(255, abs=0.5)


def test_tracks_do_not_share() -> None:
    step = PartsMask(["all"], ["mouth"])
    mask_of(step, face(hidden=LIPS_OUTER, track=1))
    target = face((HIDDEN + SEEN) / 2, track=2)
    assert at(mask_of(step, target), target, "mouth").max() < 16
    step.forget(1)
    target = face((HIDDEN + SEEN) / 2, 0.033, track=1)
    assert at(mask_of(step, target), target, "mouth").max() < 16


@pytest.mark.parametrize(("parts", "keep"), [(["ears"], []), (["all"], ["nose"])], ids=str)
def test_unknown_parts_are_refused(parts: list[str], keep: list[str]) -> None:
    with pytest.raises(ValueError, match="unknown part of the face"):
        PartsMask(parts, keep)
    assert set(KEPT) <= set(PARTS)


@pytest.mark.parametrize("parts", [["mouth"], ["eyes", "mouth"]], ids=str)
def test_a_face_of_which_nothing_is_swapped_is_refused(parts: list[str]) -> None:
    """The real face was shown whole, and counted as swapped."""
    with pytest.raises(ConfigError, match=f"--parts {','.join(parts)} and --keep mouth,eyes swap nothing"):
        PartsMask(parts, ["mouth", "eyes"])
