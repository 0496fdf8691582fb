"""The occlusion mask: what is before the face is left out of the swap, all else is not; faults cover the face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rtswap.compositing.occlusion import GAP_S, OcclusionMask, weighed
from rtswap.errors import ModelError
from rtswap.geometry import canonical
from rtswap.occluders import ANSWER, SIZE, Occluders, cut, guide, placing
from rtswap.topology import OVAL
from rtswap.types import AlignedFace, Points, Quality, SwappedFace, Tensor

W, H = 224, 280


class Saying:
    """An engine that answers whatever it is told to."""

    name = "saying"

    def __init__(self, answer: Tensor | Callable[[], Mapping[str, Tensor]]) -> None:
        self.answer = answer
        self.seen: dict[str, Tensor] = {}

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.seen = dict(inputs)
        return self.answer() if callable(self.answer) else {"visible": self.answer}


def answer(hidden: np.ndarray | None = None) -> np.ndarray:
    """What the network would say: seen everywhere but where ``hidden`` (64, 64) is 1."""
    blank = np.zeros((ANSWER, ANSWER)) if hidden is None else hidden
    return (1 - blank)[None].astype(np.float32)


def lower_left() -> np.ndarray:
    hidden = np.zeros((ANSWER, ANSWER))
    hidden[38:56, 12:34] = 1
    return hidden


def mesh(width: int = W, height: int = H) -> Points:
    points = canonical().mesh.copy()
    points -= points.min(0)
    points *= 0.8 * min(width / points[:, 0].max(), height / points[:, 1].max())
    points[:, :2] += (np.array([width, height]) - points[:, :2].max(0)) / 2
    return points.astype(np.float32)


def target(points: Points | None = None, *, time_s: float = 0.0, seen: float = 0.0, track: int = 1) -> AlignedFace:
    crop = np.random.default_rng(3).integers(0, 256, (H, W, 3), np.uint8)
    return AlignedFace(track, crop, mesh() if points is None else points, np.full(468, seen, np.float32), time_s)


def swapped() -> SwappedFace:
    return SwappedFace(np.zeros((H, W, 3), np.uint8), np.full((H, W), 255, np.uint8))


def place_of(row: int, column: int, points: Points) -> tuple[int, int]:
    """Row and column in the crop of a place of the answer."""
    matrix = placing(points)
    assert matrix is not None
    back = cv2.invertAffineTransform(matrix)
    x, y = back @ np.array([column * SIZE / ANSWER + 0.5, row * SIZE / ANSWER + 0.5, 1])
    return round(float(y)), round(float(x))


def test_what_is_in_front_is_left_and_what_is_not_is_replaced() -> None:
    face = target()
    result = OcclusionMask(Occluders(Saying(answer(lower_left())))).apply(swapped(), face, Quality())
    assert result.mask[place_of(47, 23, face.landmarks)] == 0
    assert result.mask[place_of(20, 32, face.landmarks)] == 255
    assert result.mask[place_of(47, 44, face.landmarks)] == 255


def test_an_open_view_changes_nothing() -> None:
    before = swapped()
    result = OcclusionMask(Occluders(Saying(answer()))).apply(before, target(seen=1.0), Quality())
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
    face = AlignedFace(1, rng.integers(0, 256, (H, W, 3), np.uint8), mesh(), rng.random(468, np.float32), 0.0)
    kept = face.crop.copy(), face.landmarks.copy(), face.visibility.copy()
    result = OcclusionMask(Occluders(Saying(visible))).apply(
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
        OcclusionMask(Occluders(Saying(broken))).apply(swapped(), target(), Quality())


def test_a_missing_output_is_an_error() -> None:
    with pytest.raises(ModelError, match="nothing"):
        OcclusionMask(Occluders(Saying(lambda: {"other": answer()}))).apply(swapped(), target(), Quality())


def test_a_face_confirmed_by_its_landmarks_is_never_taken_away_whole() -> None:
    everything = answer(np.ones((ANSWER, ANSWER)))
    result = OcclusionMask(Occluders(Saying(everything))).apply(swapped(), target(seen=1.0), Quality())
    assert (result.mask == 255).all()
    nan = target()
    nan.visibility[:] = np.nan
    assert (OcclusionMask(Occluders(Saying(everything))).apply(swapped(), nan, Quality()).mask == 255).all()


def test_a_face_that_landmarks_and_network_both_call_hidden_is_left() -> None:
    result = OcclusionMask(Occluders(Saying(answer(np.ones((ANSWER, ANSWER)))))).apply(
        swapped(), target(seen=0.0), Quality()
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
    face = AlignedFace(1, np.zeros((H, W, 3), np.uint8), mesh(), seen, 0.0)
    mask = OcclusionMask(Occluders(Saying(visible))).apply(swapped(), face, Quality()).mask
    x, y = face.landmarks[seen >= 0.5][::2, :2].T.astype(int)
    if len(x) > 20:
        assert (mask[y, x] >= 128).mean() > 0.25


def test_landmarks_that_are_seen_outvote_a_network_in_doubt() -> None:
    doubt = answer(0.6 * lower_left())
    hidden = OcclusionMask(Occluders(Saying(doubt))).apply(swapped(), target(seen=0.0), Quality()).mask
    shown = OcclusionMask(Occluders(Saying(doubt))).apply(swapped(), target(seen=1.0), Quality()).mask
    spot = place_of(47, 23, mesh())
    assert hidden[spot] < 64
    assert shown[spot] > 128


def test_specks_are_no_hands() -> None:
    hidden = np.zeros((ANSWER, ANSWER))
    hidden[30:32, 30:32] = hidden[40, 20] = 1
    result = OcclusionMask(Occluders(Saying(answer(hidden)))).apply(swapped(), target(), Quality())
    assert result.mask.min() > 128
    pierced = lower_left()
    pierced[46:48, 22:24] = 0
    result = OcclusionMask(Occluders(Saying(answer(pierced)))).apply(swapped(), target(), Quality())
    assert result.mask[place_of(46, 22, mesh())] < 64


def spot_over_time(answers: list[np.ndarray], times: list[float], tracks: list[int] | None = None) -> list[int]:
    engine = Saying(answers[0])
    step, values = OcclusionMask(Occluders(engine)), []
    for number, (said, time_s) in enumerate(zip(answers, times, strict=True)):
        engine.answer = said
        face = target(time_s=time_s, track=tracks[number] if tracks else 1)
        values.append(int(step.apply(swapped(), face, Quality()).mask[place_of(47, 23, face.landmarks)]))
    return values


def test_a_hand_is_there_in_one_frame_and_gone_in_a_few() -> None:
    times = [k / 30 for k in range(10)]
    values = spot_over_time([answer()] * 2 + [answer(lower_left())] * 3 + [answer()] * 5, times)
    assert values[:2] == [255, 255]
    assert values[2] < 64
    assert values[4] == 0
    assert values[-2:] == [255, 255]


def test_a_single_weak_answer_does_not_flicker() -> None:
    times = [k / 30 for k in range(6)]
    answers = [answer(lower_left())] * 3 + [answer(0.55 * lower_left())] + [answer(lower_left())] * 2
    assert max(spot_over_time(answers, times)[3:]) < 64


def test_after_a_gap_or_backwards_in_time_the_past_says_nothing() -> None:
    for times in ([0.0, GAP_S + 0.1], [5.0, 4.9]):
        assert spot_over_time([answer(lower_left()), answer()], times)[1] == 255


def test_tracks_are_apart_and_can_be_forgotten() -> None:
    assert spot_over_time([answer(lower_left()), answer()], [0.0, 0.01], [1, 2])[1] == 255
    engine = Saying(answer(lower_left()))
    step = OcclusionMask(Occluders(engine))
    step.apply(swapped(), target(time_s=0.0), Quality())
    engine.answer = answer()
    assert step.apply(swapped(), target(time_s=0.01), Quality()).mask.min() < 128
    step.apply(swapped(), target(time_s=0.0), Quality())
    step.forget(1)
    step.forget(77)
    assert step.apply(swapped(), target(time_s=0.01), Quality()).mask.min() == 255


def test_what_was_seen_moves_with_the_face() -> None:
    """A hand that lies on the cheek of a face that has moved since is where the cheek is now."""
    engine = Saying(answer(lower_left()))
    step = OcclusionMask(Occluders(engine))
    step.apply(swapped(), target(time_s=0.0), Quality())
    engine.answer = answer(0.55 * lower_left())
    moved = mesh()
    moved[:, 0] += 20
    mask = step.apply(swapped(), target(moved, time_s=0.02), Quality()).mask
    assert mask[place_of(47, 23, moved)] < 64


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
    face = AlignedFace(1, np.zeros((height, width, 3), np.uint8), points, np.full(468, np.nan, np.float32), 0.0)
    result = OcclusionMask(Occluders(Saying(answer(lower_left())))).apply(
        SwappedFace(np.zeros((height, width, 3), np.uint8), mask.copy()), face, Quality()
    )
    assert result.mask.shape == (height, width)
    assert (result.mask <= mask).all()


def test_the_network_sees_the_face_upright_and_centred_and_is_told_where_it_is() -> None:
    turn = cv2.getRotationMatrix2D((W / 2, H / 2), 25, 1.0)
    points = mesh()
    points[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    engine = Saying(answer())
    OcclusionMask(Occluders(engine)).apply(swapped(), target(points), Quality())
    assert engine.seen["crops"].shape == (1, SIZE, SIZE, 3)
    assert engine.seen["crops"].dtype == engine.seen["guides"].dtype == np.uint8
    drawn = engine.seen["guides"][0]
    where = np.argwhere(drawn > 0)
    assert where.mean(0) == pytest.approx([SIZE / 2, SIZE / 2], abs=4)
    eyes = np.argwhere(drawn == 170)
    left, right = eyes[eyes[:, 1] < SIZE / 2].mean(0), eyes[eyes[:, 1] > SIZE / 2].mean(0)
    assert abs(left[0] - right[0]) < 2
    assert np.argwhere(drawn == 210)[:, 0].mean() > eyes[:, 0].mean() + 20


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.0, 4.0])
def test_the_crop_shows_the_pixels_under_the_landmarks_at_any_size(factor: float) -> None:
    width, height = round(W * factor), round(H * factor)
    image = np.zeros((height, width, 3), np.uint8)
    points = mesh(width, height)
    x, y = (round(float(v)) for v in points[1, :2])
    cv2.circle(image, (x, y), max(1, round(6 * factor)), (255, 255, 255), -1)
    matrix = placing(points)
    assert matrix is not None
    seen = cut(image, matrix)[..., 0].astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    centre = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
    assert centre == pytest.approx(matrix[:, :2] @ np.array([x, y]) + matrix[:, 2], abs=0.8)


def test_the_guide_marks_the_oval() -> None:
    points = mesh()
    matrix = placing(points)
    assert matrix is not None
    inside = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    drawn = guide(inside)
    middle = inside[OVAL].mean(0)
    for point in inside[OVAL]:
        x, y = np.round(middle + 0.95 * (point - middle)).astype(int)
        assert drawn[y, x] > 0
        x, y = np.clip(np.round(middle + 1.08 * (point - middle)).astype(int), 0, SIZE - 1)
        assert drawn[y, x] == 0


def test_a_network_that_sees_nothing_in_front_is_not_changed_by_visibility() -> None:
    points = mesh()[:, :2] / max(W, H) * SIZE
    hidden = weighed(np.zeros((ANSWER, ANSWER), np.float32), points, np.zeros(468, np.float32))
    assert hidden.max() <= 0


def test_without_time_it_looks_seldom_and_what_it_saw_stays() -> None:
    looks = 0

    def told() -> Mapping[str, Tensor]:
        nonlocal looks
        looks += 1
        return {"visible": answer(lower_left())}

    mask, hurried = OcclusionMask(Occluders(Saying(told))), Quality(match_color=False)
    found = [mask.apply(swapped(), target(time_s=n / 30), hurried).mask for n in range(30)]
    assert 9 <= looks <= 11
    assert all((one == 0).any() for one in found)
    assert np.array_equal(found[0], found[1])


def test_several_faces_are_looked_at_in_turn() -> None:
    looks: list[int] = []

    def told() -> Mapping[str, Tensor]:
        looks[-1] += 1
        return {"visible": answer(lower_left())}

    mask = OcclusionMask(Occluders(Saying(told)), every_s=0.06)
    for n in range(90):
        looks.append(0)
        for track in (1, 2, 3):
            face = target(time_s=n / 30)
            mask.apply(swapped(), replace(face, track_id=track), Quality())
    assert looks[0] == 3
    assert max(looks[1:]) == 1
    assert sum(looks[1:]) >= 3 * 10


def test_what_does_not_come_from_outside_the_face_is_a_mistake() -> None:
    """A glint on a lens does not tear a hole; a hand that reaches as far in, but has an arm, stays in front."""
    glint, hand = np.zeros((ANSWER, ANSWER)), np.zeros((ANSWER, ANSWER))
    glint[22:30, 34:46] = hand[22:30, 34:46] = 1
    hand[22:30, 46:] = 1
    shut = OcclusionMask(Occluders(Saying(answer(glint)))).apply(swapped(), target(), Quality()).mask
    assert shut.min() == 255
    opened = OcclusionMask(Occluders(Saying(answer(hand)))).apply(swapped(), target(), Quality()).mask
    assert opened[place_of(26, 40, mesh())] == 0
