"""The occlusion mask: what is before the face is left out of the swap, all else is not; faults cover the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from occluded_target import FixedAnswer, H, W, answer, hide_corner, mesh, place_of, swapped_face, target

from rtswap.compositing.finishes.occlusion import OcclusionMask, weigh
from rtswap.core.errors import ModelError
from rtswap.core.types import Points, Quality, SwappedFace, Target
from rtswap.networks.occlusion import ANSWER, SIZE, OcclusionModel, place
from rtswap.vision.topology import LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE


def test_occluders_stay_and_the_face_is_replaced() -> None:
    face = target()
    result = OcclusionMask(OcclusionModel(FixedAnswer(answer(hide_corner())))).apply(swapped_face(), face, Quality())
    assert result.mask[place_of(47, 23, face.landmarks)] == 0
    assert result.mask[place_of(20, 32, face.landmarks)] == 255
    assert result.mask[place_of(47, 44, face.landmarks)] == 255


def test_an_open_view_changes_nothing() -> None:
    before = swapped_face()
    result = OcclusionMask(OcclusionModel(FixedAnswer(answer()))).apply(before, target(seen=1.0), Quality())
    assert (result.mask == 255).all()
    assert result.crop is before.crop


@settings(max_examples=10, deadline=None)
@given(
    hnp.arrays(np.float32, (1, ANSWER, ANSWER), elements=st.floats(0, 1, width=32)),
    st.integers(0, 2**32 - 1),
)
def test_the_mask_only_shrinks_and_the_target_stays_as_it_is(visible: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 256, (H, W), np.uint8)
    face = Target(1, rng.integers(0, 256, (H, W, 3), np.uint8), mesh(), rng.random(468, np.float32), 0.0)
    kept = face.crop.copy(), face.landmarks.copy(), face.visibility.copy()
    result = OcclusionMask(OcclusionModel(FixedAnswer(visible))).apply(
        SwappedFace(face.crop.copy(), mask.copy()), face, Quality()
    )
    assert (result.mask <= mask).all()
    assert result.mask.dtype == np.uint8
    assert result.mask.shape == mask.shape
    for now, then in zip((face.crop, face.landmarks, face.visibility), kept, strict=True):
        assert (now == then).all()


@pytest.mark.parametrize(
    "broken",
    [
        np.full((1, ANSWER, ANSWER), np.nan, np.float32),
        np.where(np.eye(ANSWER) > 0, np.inf, 1.0)[None].astype(np.float32),
        np.ones((1, ANSWER, ANSWER - 1), np.float32),
        np.ones((ANSWER, ANSWER), np.float32),
        np.ones((2, ANSWER, ANSWER), np.float32),
    ],
)
def test_a_network_that_breaks_its_contract_is_an_error_so_that_the_face_is_covered(broken: np.ndarray) -> None:
    with pytest.raises(ModelError, match="occlusion network"):
        OcclusionMask(OcclusionModel(FixedAnswer(broken))).apply(swapped_face(), target(), Quality())


def test_a_missing_output_is_an_error() -> None:
    with pytest.raises(ModelError, match="nothing"):
        OcclusionMask(OcclusionModel(FixedAnswer(lambda: {"other": answer()}))).apply(
            swapped_face(), target(), Quality()
        )


def test_a_face_confirmed_by_its_landmarks_is_never_taken_away_whole() -> None:
    everything = answer(np.ones((ANSWER, ANSWER)))
    result = OcclusionMask(OcclusionModel(FixedAnswer(everything))).apply(swapped_face(), target(seen=1.0), Quality())
    assert (result.mask == 255).all()
    nan = target()
    nan.visibility[:] = np.nan
    assert (
        OcclusionMask(OcclusionModel(FixedAnswer(everything))).apply(swapped_face(), nan, Quality()).mask == 255
    ).all()


def test_a_face_that_landmarks_and_network_both_call_hidden_is_left() -> None:
    result = OcclusionMask(OcclusionModel(FixedAnswer(answer(np.ones((ANSWER, ANSWER)))))).apply(
        swapped_face(), target(seen=0.0), Quality()
    )
    y, x = mesh()[1, [1, 0]].astype(int)
    assert result.mask[y, x] == 0


@settings(max_examples=40, deadline=None)
@example(np.full((8, 8), 0.3125, np.float32), np.full(468, 0.5, np.float32))  # just short of sure, everywhere
@given(
    hnp.arrays(np.float32, (8, 8), elements=st.floats(0, 1, width=32)),
    hnp.arrays(np.float32, 468, elements=st.sampled_from([0.0, 0.49, 0.5, 1.0, np.nan])),
)
def test_of_the_seen_landmarks_more_than_a_quarter_stay_replaced(coarse: np.ndarray, seen: np.ndarray) -> None:
    visible = cv2.resize(coarse, (ANSWER, ANSWER), interpolation=cv2.INTER_NEAREST)[None]
    face = Target(1, np.zeros((H, W, 3), np.uint8), mesh(), seen, 0.0)
    mask = OcclusionMask(OcclusionModel(FixedAnswer(visible))).apply(swapped_face(), face, Quality()).mask
    x, y = face.landmarks[seen >= 0.5][::2, :2].T.astype(int)
    if len(x) > 20:
        assert (mask[y, x] >= 128).mean() > 0.25


def test_landmarks_that_are_seen_outvote_a_network_in_doubt() -> None:
    doubt = answer(0.6 * hide_corner())
    hidden = OcclusionMask(OcclusionModel(FixedAnswer(doubt))).apply(swapped_face(), target(seen=0.0), Quality()).mask
    shown = OcclusionMask(OcclusionModel(FixedAnswer(doubt))).apply(swapped_face(), target(seen=1.0), Quality()).mask
    spot = place_of(47, 23, mesh())
    assert hidden[spot] < 64
    assert shown[spot] > 128


def test_specks_do_not_count_as_hands() -> None:
    hidden = np.zeros((ANSWER, ANSWER))
    hidden[30:32, 30:32] = hidden[40, 20] = 1
    result = OcclusionMask(OcclusionModel(FixedAnswer(answer(hidden)))).apply(swapped_face(), target(), Quality())
    assert result.mask.min() > 128
    pierced = hide_corner()
    pierced[46:48, 22:24] = 0
    result = OcclusionMask(OcclusionModel(FixedAnswer(answer(pierced)))).apply(swapped_face(), target(), Quality())
    assert result.mask[place_of(46, 22, mesh())] < 64


hostile_points = st.one_of(
    hnp.arrays(np.float32, (468, 3), elements=st.floats(-1e7, 1e7, width=32)),
    st.builds(
        lambda scale, x, y: (mesh() * np.float32(scale) + np.array([x, y, 0], np.float32)).astype(np.float32),
        st.sampled_from([0.0, 1e-6, 1e-3, 0.1, 1.0, 40.0]),
        st.floats(-5000, 5000),
        st.floats(-5000, 5000),
    ),
)


@settings(max_examples=20, deadline=None)
@given(hostile_points, st.sampled_from([(2, 2), (3, 40), (40, 2), (8, 8), (480, 360)]), st.booleans())
def test_no_landmarks_and_no_crop_can_break_it(points: Points, size: tuple[int, int], nan: bool) -> None:
    width, height = size
    if nan:
        points = points.copy()
        points[7] = np.nan
    mask = np.full((height, width), 200, np.uint8)
    face = Target(1, np.zeros((height, width, 3), np.uint8), points, np.full(468, np.nan, np.float32), 0.0)
    result = OcclusionMask(OcclusionModel(FixedAnswer(answer(hide_corner())))).apply(
        SwappedFace(np.zeros((height, width, 3), np.uint8), mask.copy()), face, Quality()
    )
    assert result.mask.shape == (height, width)
    assert (result.mask <= mask).all()


def test_a_network_that_sees_nothing_in_front_is_not_changed_by_visibility() -> None:
    points = mesh()[:, :2] / max(W, H) * SIZE
    hidden = weigh(np.zeros((ANSWER, ANSWER), np.float32), points, np.zeros(468, np.float32))
    assert hidden.max() <= 0


def test_what_does_not_come_from_outside_the_face_is_a_mistake() -> None:
    """A glint on a lens does not tear a hole; a hand that reaches as far in, but has an arm, stays in front."""
    glint, hand = np.zeros((ANSWER, ANSWER)), np.zeros((ANSWER, ANSWER))
    glint[22:30, 39:46] = hand[22:30, 39:46] = 1
    hand[22:30, 46:] = 1
    shut = OcclusionMask(OcclusionModel(FixedAnswer(answer(glint)))).apply(swapped_face(), target(), Quality()).mask
    assert shut.min() == 255
    opened = OcclusionMask(OcclusionModel(FixedAnswer(answer(hand)))).apply(swapped_face(), target(), Quality()).mask
    assert opened[place_of(26, 42, mesh())] == 0


def test_dark_lenses_stay_though_they_reach_no_outline_and_every_landmark_is_seen() -> None:
    """The network is not quite sure of them; it leaves the frames to the glasses network. Beside the nose the same is
    a mistake, and so is a glint as small as a quarter of a lens."""
    points, lenses, glints = in_answer(), np.zeros((ANSWER, ANSWER), np.uint8), np.zeros((ANSWER, ANSWER), np.uint8)
    middles = [points[ring].mean(0).round().astype(int).tolist() for ring in (LEFT_EYE, RIGHT_EYE)]
    for middle in middles:
        cv2.ellipse(lenses, middle, (6, 4), 0, 0, 360, 1, -1)
        cv2.ellipse(glints, middle, (3, 2), 0, 0, 360, 1, -1)
    kept = {}
    for name, drawn in (("worn", lenses), ("on the cheeks", np.roll(lenses, 14, 0)), ("glints", glints)):
        mask = OcclusionMask(OcclusionModel(FixedAnswer(answer(0.65 * drawn.astype(np.float64)))))
        kept[name] = mask.apply(swapped_face(), target(seen=1.0), Quality()).mask
    assert kept["on the cheeks"].min() == kept["glints"].min() == 255
    for x, y in middles:
        assert kept["worn"][place_of(y, x, mesh())] < 60


def test_brows_that_look_like_a_frame_are_swapped() -> None:
    points, brows = in_answer(), np.zeros((ANSWER, ANSWER), np.uint8)
    for ring in (LEFT_BROW, RIGHT_BROW):
        cv2.fillPoly(brows, [np.round(points[ring]).astype(np.int32)], 1)
    mask = OcclusionMask(OcclusionModel(FixedAnswer(answer(0.62 * brows.astype(np.float64)))))
    assert mask.apply(swapped_face(), target(seen=1.0), Quality()).mask.min() == 255


def in_answer() -> Points:
    """The target's landmarks (468, 2) in cells of an answer."""
    matrix = place(mesh())
    assert matrix is not None
    return (mesh()[:, :2] @ matrix[:, :2].T + matrix[:, 2]) * (ANSWER / SIZE)
