"""The refiner: the input of its network, and the application of its output."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import cv2
import numpy as np
import pytest
from people import ReadyMesh, person, rotation, swap_face

from rtswap.core.types import Quality, SourceIdentity, Target, Tensor
from rtswap.swappers.refiner.crop_view import CELLS, EYES_APART, MOST, SHRINK, SIZE, CropView, crop_view, place
from rtswap.swappers.refiner.swapper import RefinerSwapModel
from rtswap.vision.crops import cut
from rtswap.vision.geometry import canonical, similarity
from rtswap.vision.topology import OVAL


class Generator:
    """Says the same of every face: the logarithms of gains, of all cells or of each."""

    name = "generator"

    def __init__(self, logs: Tensor | float = 0.0) -> None:
        self.logs = logs
        self.asked: list[dict[str, Tensor]] = []

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.asked.append({name: value.copy() for name, value in inputs.items()})
        return {"gains": np.exp(np.broadcast_to(np.float32(self.logs), (1, CELLS, CELLS, 3)))}


def swaps(generator: Generator, *, max_px: int = 1024, match_color: bool = True):
    """ada on ben by ``mesh`` and by the refiner, and ben."""
    ben = person("ben")
    mesh = ReadyMesh().bind(person("ada"))
    one = RefinerSwapModel(ReadyMesh(), generator).bind(person("ada"))
    before, _ = swap_face(mesh, ben.portrait, ben.landmarks, max_px=max_px, match_color=match_color)
    after, face = swap_face(one, ben.portrait, ben.landmarks, max_px=max_px, match_color=match_color)
    return before, after, face


def seen() -> CropView:
    before, _, face = swaps(Generator())
    found = crop_view(face.crop, before.crop, before.mask, face.landmarks)
    assert found is not None
    return found


def test_a_network_that_says_nothing_changes_nothing() -> None:
    before, after, _ = swaps(Generator())
    assert np.array_equal(before.crop, after.crop)
    assert np.array_equal(before.mask, after.mask)


@pytest.mark.parametrize("log", [0.2, -0.4, 3.0, -3.0])
def test_a_gain_multiplies_within_its_range(log: float) -> None:
    before, after, _ = swaps(Generator(log))
    wanted = np.clip(before.crop * np.exp(np.clip(log, -MOST, MOST)), 0, 255)
    assert np.abs(after.crop.astype(int) - wanted).max() <= 1
    assert np.array_equal(before.mask, after.mask)


@pytest.mark.parametrize("log", [np.nan, np.inf, -np.inf])
def test_an_answer_without_numbers_leaves_a_swapped_face(log: float) -> None:
    before, after, _ = swaps(Generator(log))
    limits = [np.clip(before.crop * np.exp(sign * MOST), 0, 255) for sign in (-1, 1)]
    assert (after.crop >= limits[0] - 1).all()
    assert (after.crop <= limits[1] + 1).all()
    if np.isnan(log):
        assert np.array_equal(before.crop, after.crop)


@pytest.mark.parametrize("max_px", [60, 150, 1024])
@pytest.mark.parametrize("point", [1, 61, 282])
def test_a_change_at_a_landmark_arrives_at_that_landmark(point: int, max_px: int) -> None:
    _, _, face = swaps(Generator(), max_px=max_px)
    matrix = place(face.landmarks)
    assert matrix is not None
    at = matrix[:, :2] @ face.landmarks[point, :2] + matrix[:, 2]
    spot = np.zeros((SIZE, SIZE), np.float32)
    cv2.circle(spot, np.round(at * 16).astype(int).tolist(), SIZE // 16 * 16, 0.2, -1, cv2.LINE_AA, 4)
    spot = cv2.resize(spot, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    before, after, face = swaps(Generator(np.dstack([spot] * 3)[None]), max_px=max_px)
    change = np.log(np.maximum(after.crop, 1) / np.maximum(before.crop, 1.0)).sum(2) * (before.crop.min(2) > 20)
    ys, xs = np.mgrid[: change.shape[0], : change.shape[1]]
    middle = np.array([(xs * change).sum(), (ys * change).sum()]) / change.sum()
    face_px = np.ptp(face.landmarks[:, 0])
    assert np.linalg.norm(middle - face.landmarks[point, :2]) < 0.02 * face_px


def test_the_network_is_given_what_it_expects() -> None:
    generator = Generator()
    swaps(generator)
    shapes = {name: (value.shape, value.dtype) for name, value in generator.asked[0].items()}
    picture = ((1, SIZE, SIZE, 3), np.uint8)
    assert shapes == {"composite": picture, "lowered": picture, "mask": ((1, SIZE, SIZE), np.uint8)}


def test_network_does_not_run_at_low_quality_or_without_a_face() -> None:
    generator = Generator(0.3)
    before, after, _ = swaps(generator, match_color=False)
    assert np.array_equal(before.crop, after.crop)
    assert not generator.asked
    assert crop_view(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8),
                np.full((468, 3), np.nan, np.float32)) is None  # fmt: skip
    for points in (np.zeros((468, 3), np.float32), np.full((468, 3), 1e30, np.float32)):
        assert place(points) is None


def test_the_target_is_shown_without_its_features() -> None:
    found = seen()
    lowered, inside = found.lowered, cv2.erode(found.inside, np.ones((7, 7), np.uint8)) > 250
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (found.target, lowered)]
    fine = [np.abs(cv2.Laplacian(picture, cv2.CV_32F))[inside].mean() for picture in grey]
    assert fine[1] < 0.2 * fine[0]
    outside = cv2.dilate(found.inside, np.ones((9, 9), np.uint8)) == 0
    assert outside.mean() > 0.3
    assert np.array_equal(lowered[outside], found.target[outside])
    mean = [picture[inside].mean(0) for picture in (found.target.astype(float), lowered.astype(float))]
    assert np.abs(mean[0] - mean[1]).max() < 15


def test_the_composite_is_the_target_where_nothing_was_pasted_and_the_swap_where_all_was() -> None:
    found = seen()
    before, _, _ = swaps(Generator())
    assert np.array_equal(found.composite[found.mask == 0], found.target[found.mask == 0])
    full = cut(before.crop, found.matrix, SIZE, SHRINK)
    assert np.abs(full.astype(int) - found.composite)[found.mask == 255].max() <= 1
    assert (found.mask > 250).mean() > 0.15


def test_network_input_does_not_depend_on_roll_and_size() -> None:
    ben = person("ben")
    upright = place(ben.landmarks)
    turned = ben.landmarks @ rotation(roll=25).T.astype(np.float32) * np.float32(0.6) + np.float32(40)
    other = place(turned)
    assert upright is not None
    assert other is not None
    points = [p[:, :2] @ m[:, :2].T + m[:, 2] for p, m in ((ben.landmarks, upright), (turned, other))]
    assert np.abs(points[0] - points[1]).max() < 0.05
    low, high = points[0][OVAL].min(0), points[0][OVAL].max(0)
    assert (low > 4).all()
    assert (high < SIZE - 5).all()
    assert 0.6 < (high - low)[1] / SIZE < 0.85


def test_the_crop_is_placed_by_the_least_squares_similarity() -> None:
    for name in ("ada", "dan"):
        points = person(name).landmarks
        matrix = place(points)
        assert matrix is not None
        mesh = canonical().mesh[:, :2]
        goal = (mesh - (mesh.min(0) + mesh.max(0)) / 2) * EYES_APART * SIZE + (SIZE - 1) / 2
        assert np.allclose(matrix, similarity(points[:, :2], goal.astype(np.float32)), atol=2e-3)


def test_large_crops_are_averaged_not_sampled() -> None:
    """Stripes of one pixel turn grey; a sampled crop would show some of them."""
    stripes = np.zeros((1200, 1200, 3), np.uint8)
    stripes[:, ::2] = 255
    shown = cut(stripes, np.array([[0.1, 0, 4], [0, 0.1, 4]], np.float32), SIZE, SHRINK)
    assert np.abs(shown[10:110, 10:110].astype(int) - 128).max() <= 3


@pytest.mark.parametrize("scale", [0.13, 0.3, 0.49, 0.8, 1.7])
def test_a_crop_shows_each_place_where_the_matrix_says(scale: float) -> None:
    ramp = np.repeat(np.linspace(0, 255, 700).astype(np.float32)[None], 700, 0)
    picture = np.round(np.dstack([ramp, ramp.T, ramp])).astype(np.uint8)
    shown = cut(picture, np.array([[scale, 0, -3], [0, scale, -3]], np.float32), SIZE, SHRINK).astype(float)
    ys, xs = np.mgrid[20:60, 20:60]
    assert np.abs(shown[20:60, 20:60, 0] - (xs + 3) / scale * 255 / 699).max() < 1.5
    assert np.abs(shown[20:60, 20:60, 1] - (ys + 3) / scale * 255 / 699).max() < 1.5


def test_a_source_whose_landmarks_lie_on_a_point_is_refused_as_by_mesh() -> None:
    from rtswap.core.errors import SourceError

    flat = SourceIdentity(person("ada").portrait, np.zeros((468, 3), np.float32))
    with pytest.raises(SourceError):
        RefinerSwapModel(ReadyMesh(), Generator()).bind(flat)


def test_forgetting_a_track_reaches_the_swapper_below() -> None:
    forgotten: list[int] = []

    class Below:
        def forget(self, track_id: int) -> None:
            forgotten.append(track_id)

        def bind(self, source: SourceIdentity) -> Below:
            return self

        def swap(self, face: Target, quality: Quality): ...

        def view(self, landmarks, max_px): ...

    RefinerSwapModel(Below(), Generator()).bind(person("ada")).forget(7)  # type: ignore[arg-type]
    assert forgotten == [7]


def test_a_face_is_followed_steadily_and_a_new_one_starts_afresh() -> None:
    generator = Generator()
    swapper = RefinerSwapModel(ReadyMesh(), generator).bind(person("ada"))
    ben = person("ben")

    def shown(log: float, time_s: float) -> float:
        generator.logs = log
        now, _ = swap_face(swapper, ben.portrait, ben.landmarks, time_s=time_s)
        plain, _ = swap_face(ReadyMesh().bind(person("ada")), ben.portrait, ben.landmarks)
        inside = (now.mask > 200) & (plain.crop.max(2) < 160)
        return float(np.log(now.crop[inside].mean() / plain.crop[inside].mean()))

    assert abs(shown(0, 1.0)) < 0.01
    risen = [shown(0.4, 1.0 + frame / 30) for frame in range(1, 9)]
    assert 0.1 < risen[0] < 0.3
    assert all(later > earlier - 0.005 for earlier, later in pairwise(risen))
    assert risen[-1] > 0.36
    assert abs(shown(0, 3.0)) < 0.01, "after a pause the past does not count"
    swapper.forget(1)
    assert shown(0.3, 3.01) > 0.27
