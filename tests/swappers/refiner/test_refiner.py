"""The refiner: the input of its network, and the application of its output."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import cv2
import numpy as np
import pytest
from people import ReadyMesh, person, rotation, swap_face

from rtswap.core.types import Quality, SourceIdentity, Target, Tensor
from rtswap.swappers.refiner.crop_view import EYES_APART, SHRINK, SIZE, ZERO, CropView, crop_view, place
from rtswap.swappers.refiner.swapper import SIZES, RefinerSwapModel
from rtswap.vision.crops import cut
from rtswap.vision.geometry import canonical, similarity
from rtswap.vision.topology import OVAL

STYLE = np.arange(5, dtype=np.float32)[None]


class Encoder:
    name = "encoder"

    def __init__(self) -> None:
        self.photos: list[Tensor] = []

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.photos.append(inputs["photo"].copy())
        return {"style": STYLE.copy()}


class Generator:
    """Says the same of every face."""

    name = "generator"

    def __init__(self, residual: Tensor | int = 0, kept: int = 255, size: int = SIZE) -> None:
        self.size, self.made = size, np.full((1, size, size, 4), kept, np.float32)
        self.made[..., :3] = ZERO + residual
        self.asked: list[dict[str, Tensor]] = []

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.asked.append({name: value.copy() for name, value in inputs.items()})
        return {"made": self.made}


def swaps(generator: Generator, *, max_px: int = 1024, match_color: bool = True):
    """ada on ben by ``mesh`` and by the refiner, and ben."""
    ben = person("ben")
    mesh = ReadyMesh().bind(person("ada"))
    one = RefinerSwapModel(ReadyMesh(), Encoder(), generator, generator.size).bind(person("ada"))
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
    assert np.array_equal(before.mask[8:-8, 8:-8], after.mask[8:-8, 8:-8])


@pytest.mark.parametrize("levels", [17, -40])
def test_a_residual_is_added_in_levels_of_255(levels: int) -> None:
    before, after, _ = swaps(Generator(levels))
    shown = before.mask > 0
    wanted = np.clip(before.crop.astype(int) + levels, 0, 255)
    assert np.abs(after.crop.astype(int) - wanted)[shown].max() <= 1


@pytest.mark.parametrize("max_px", [60, 150, 1024])
@pytest.mark.parametrize("size", SIZES.values())
@pytest.mark.parametrize("point", [1, 61, 282])
def test_a_change_at_a_landmark_arrives_at_that_landmark(point: int, size: int, max_px: int) -> None:
    _, _, face = swaps(Generator(), max_px=max_px)
    matrix = place(face.landmarks, size)
    assert matrix is not None
    at = matrix[:, :2] @ face.landmarks[point, :2] + matrix[:, 2]
    spot = np.zeros((size, size), np.float32)
    cv2.circle(spot, np.round(at * 16).astype(int).tolist(), size // 32 * 16, 60.0, -1, cv2.LINE_AA, 4)
    before, after, face = swaps(Generator(np.dstack([spot] * 3)[None], size=size), max_px=max_px)
    change = np.abs(after.crop.astype(np.float64) - before.crop).sum(2)
    ys, xs = np.mgrid[: change.shape[0], : change.shape[1]]
    middle = np.array([(xs * change).sum(), (ys * change).sum()]) / change.sum()
    face_px = np.ptp(face.landmarks[:, 0])
    assert np.linalg.norm(middle - face.landmarks[point, :2]) < 0.012 * face_px


def test_hidden_parts_are_not_shown() -> None:
    _, after, _ = swaps(Generator(kept=0))
    assert not after.mask.any()
    before, after, _ = swaps(Generator(kept=100))
    assert after.mask.max() == 100
    assert (after.mask <= before.mask).all()


def test_the_source_is_looked_at_once_and_its_style_given_each_time() -> None:
    encoder, generator = Encoder(), Generator()
    swapper = RefinerSwapModel(ReadyMesh(), encoder, generator).bind(person("ada"))
    for name in ("ben", "carl"):
        swap_face(swapper, person(name).portrait, person(name).landmarks)
    assert len(encoder.photos) == 1
    assert encoder.photos[0].shape == (1, SIZE, SIZE, 3)
    assert [np.array_equal(asked["style"], STYLE) for asked in generator.asked] == [True, True]
    shapes = {name: (value.shape, value.dtype) for name, value in generator.asked[0].items()}
    picture = ((1, SIZE, SIZE, 3), np.uint8)
    assert shapes["composite"] == shapes["lowered"] == shapes["target"] == picture
    assert shapes["mask"] == ((1, SIZE, SIZE), np.uint8)


def test_network_does_not_run_at_low_quality_or_without_a_face() -> None:
    generator = Generator(30)
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


def test_the_finer_crop_is_the_coarser_one_twice_as_large() -> None:
    """``refiner-256`` looks at its pictures at half the size first, as ``refiner-128`` sees them."""
    before, _, face = swaps(Generator(), max_px=1024)
    coarse, fine = (crop_view(face.crop, before.crop, before.mask, face.landmarks, size) for size in (SIZE, 2 * SIZE))
    assert coarse is not None
    assert fine is not None
    for part in ("composite", "lowered", "target", "mask", "inside"):
        small = cv2.resize(getattr(fine, part), (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(float)
        assert np.abs(small - getattr(coarse, part)).mean() < 2.5, part


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
        RefinerSwapModel(ReadyMesh(), Encoder(), Generator()).bind(flat)


def test_forgetting_a_track_reaches_the_swapper_below() -> None:
    forgotten: list[int] = []

    class Below:
        def forget(self, track_id: int) -> None:
            forgotten.append(track_id)

        def bind(self, source: SourceIdentity) -> Below:
            return self

        def swap(self, face: Target, quality: Quality): ...

        def view(self, landmarks, max_px): ...

    RefinerSwapModel(Below(), Encoder(), Generator()).bind(person("ada")).forget(7)  # type: ignore[arg-type]
    assert forgotten == [7]


def test_a_face_is_followed_steadily_and_a_new_one_starts_afresh() -> None:
    generator = Generator(0)
    swapper = RefinerSwapModel(ReadyMesh(), Encoder(), generator).bind(person("ada"))
    ben = person("ben")

    def shown(residual: int, time_s: float) -> float:
        generator.made[..., :3] = ZERO + residual
        now, _ = swap_face(swapper, ben.portrait, ben.landmarks, time_s=time_s)
        plain, _ = swap_face(ReadyMesh().bind(person("ada")), ben.portrait, ben.landmarks)
        inside = (now.mask > 200) & (plain.crop.max(2) < 180)
        return float((now.crop.astype(float) - plain.crop)[inside].mean())

    assert abs(shown(0, 1.0)) < 1.5
    risen = [shown(40, 1.0 + frame / 30) for frame in range(1, 9)]
    assert 10 < risen[0] < 30
    assert all(on_download > earlier - 0.5 for earlier, on_download in pairwise(risen))
    assert risen[-1] > 36
    assert abs(shown(0, 3.0)) < 1.5, "after a pause the past does not count"
    swapper.forget(1)
    assert shown(30, 3.01) > 27
