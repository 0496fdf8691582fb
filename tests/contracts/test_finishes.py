"""The contract of every finish: the target is unchanged, the mask only shrinks, nothing crashes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from built_parts import build_finish, old_film
from people import face_models, place_mesh

from rtswap.compositing.finishes import built_in_finishes, optional_finishes
from rtswap.compositing.finishes.color import ColorMatch
from rtswap.compositing.finishes.detail import MatchDetail
from rtswap.compositing.finishes.glasses import GlassesMask
from rtswap.compositing.finishes.grey import GreyMatch
from rtswap.compositing.finishes.occlusion import OcclusionMask
from rtswap.compositing.finishes.parts import PartsMask
from rtswap.compositing.finishes.poisson import PoissonBlend
from rtswap.compositing.finishes.restore import RestoreDetail
from rtswap.core.protocols import Finish
from rtswap.core.types import Quality, SwappedFace, Target
from rtswap.networks.glasses import GlassesModel
from rtswap.networks.occlusion import OcclusionModel
from rtswap.networks.sharpness import SharpnessModel


def occlusion_model() -> OcclusionModel:
    found = face_models().occlusion_model
    assert found is not None
    return found


OPTIONAL = {"old-film": old_film(), **optional_finishes()}
"""What ``--finish`` turns on."""
FINISHES: dict[str, Callable[[], Finish]] = {
    **{f"color {method}": lambda method=method: ColorMatch(method) for method in ("rct", "lct", "mkl")},
    **{f"color {method}": lambda method=method: ColorMatch(method) for method in ("hist", "idt", "sot")},
    "occlusion": lambda: OcclusionMask(occlusion_model()),
    "glasses": lambda: GlassesMask(GlassesModel(face_models().open(("glasses",))["glasses"])),
    "detail": MatchDetail,
    "restore": lambda: RestoreDetail(SharpnessModel(face_models().open(("sharpness",))["sharpness"])),
    "grey": GreyMatch,
    "poisson": PoissonBlend,
    "parts": lambda: PartsMask(["eyes", "mouth"], []),
    "keep": lambda: PartsMask(["all"], ["mouth", "eyes"]),
    **{name: lambda spec=spec: build_finish(spec) for name, spec in OPTIONAL.items()},
}
"""All that follows is asked of each. Those of ``OPTIONAL`` are found by their ``SPEC``; add one that a setting turns
on."""
IMPORTED = {"enhance", "xseg", "bisenet"}
"""What runs the user's own models."""
SIZES = [(2, 2), (3, 2), (8, 8), (37, 53), (160, 200)]


@pytest.fixture(params=FINISHES, ids=str)
def make(request: pytest.FixtureRequest) -> Callable[[], Finish]:
    return FINISHES[request.param]


def case(
    size: tuple[int, int] = (160, 200), *, seed: int = 0, mask: str = "oval", time_s: float = 0.0, track: int = 1
) -> tuple[SwappedFace, Target]:
    """A face that fills a crop of ``size`` = (width, height); the target cannot be written to."""
    width, height = size
    rng = np.random.default_rng(seed)
    crop = np.clip(rng.normal(120, 20, (height, width, 3)), 0, 255).astype(np.uint8)
    target = np.clip(rng.normal((90, 110, 150), 25, (height, width, 3)), 0, 255).astype(np.uint8)
    y, x = np.mgrid[:height, :width]
    away = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5) * 2
    drawn = {"oval": (255 * (1.05 - away) * 4).clip(0, 255), "empty": 0 * away, "full": 0 * away + 255}[mask]
    landmarks = place_mesh(0.8 * width, (width / 2, height / 2))
    face = Target(track, target, landmarks, np.ones(468, np.float32), time_s)
    for array in (target, face.landmarks, face.visibility):
        array.setflags(write=False)
    return SwappedFace(crop, drawn.astype(np.uint8)), face


def checked(step: Finish, swapped: SwappedFace, face: Target, quality: Quality | None = None) -> SwappedFace:
    """What the step gives, after all that must hold whatever it was given."""
    kept, before = face.crop.copy(), swapped.mask.copy()
    found = step.apply(swapped, face, quality or Quality())
    assert np.array_equal(face.crop, kept)
    assert found.crop.shape == face.crop.shape
    assert found.mask.shape == face.crop.shape[:2]
    assert found.crop.dtype == found.mask.dtype == np.uint8
    assert (found.mask <= before).all()
    return found


def test_every_finish_is_asked() -> None:
    unasked = {spec.name for spec in built_in_finishes()} - {name.split()[0] for name in FINISHES} - IMPORTED
    assert not unasked, "add them to FINISHES"


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("mask", ["oval", "empty", "full"])
def test_any_size_and_mask(make: Callable[[], Finish], size: tuple[int, int], mask: str) -> None:
    step = make()
    for frame in range(3):
        swapped, face = case(size, seed=frame, mask=mask, time_s=0.2 * frame)
        checked(step, swapped, face)


@pytest.mark.parametrize("quality", [Quality(match_color=False), Quality(level=9, max_face_px=96)], ids=str)
def test_any_quality(make: Callable[[], Finish], quality: Quality) -> None:
    checked(make(), *case(), quality)


@pytest.mark.parametrize("shift", [(-5000.0, 0.0), (1e6, -1e6), (0.0, 180.0), (80.5, 90.5)], ids=str)
def test_landmarks_may_lie_outside(make: Callable[[], Finish], shift: tuple[float, float]) -> None:
    swapped, face = case()
    landmarks = face.landmarks + np.array([*shift, 0], np.float32)
    checked(make(), swapped, Target(1, face.crop, landmarks, face.visibility, 0.0))


@pytest.mark.parametrize("landmarks", [np.zeros((468, 3), np.float32), np.full((468, 3), np.nan, np.float32)])
def test_landmarks_may_form_no_face(make: Callable[[], Finish], landmarks: np.ndarray) -> None:
    swapped, face = case()
    checked(make(), swapped, Target(1, face.crop, landmarks, face.visibility, 0.0))


@pytest.mark.parametrize("visible", [np.nan, 0.0, np.inf, -1.0])
def test_any_visibility(make: Callable[[], Finish], visible: float) -> None:
    step = make()
    for frame in range(2):
        swapped, face = case(time_s=frame / 30)
        seen = np.full(468, visible, np.float32)
        checked(step, swapped, Target(1, face.crop, face.landmarks, seen, face.time_s))


@pytest.mark.parametrize("ours", [0, 128, 255])
@pytest.mark.parametrize("theirs", [0, 255])
@pytest.mark.parametrize("name", sorted(FINISHES.keys() - OPTIONAL.keys()))
def test_pictures_of_one_colour(name: str, ours: int, theirs: int) -> None:
    """What a user has to ask for by ``--finish`` may paint any colour."""
    make, (swapped, face) = FINISHES[name], case()
    swapped.crop[:] = ours
    plain = np.full_like(face.crop, theirs)
    found = checked(make(), swapped, Target(1, plain, face.landmarks, face.visibility, 0.0))
    shown = found.crop[found.mask > 200].astype(float)
    low, high = min(ours, theirs), max(ours, theirs)
    assert shown.size == 0 or low - 3 <= shown.min() <= shown.max() <= high + 3


def test_views_of_a_frame_are_served(make: Callable[[], Finish]) -> None:
    """A crop that only moves the frame is a view of it, its rows not one after the other."""
    swapped, face = case()
    frame = np.full((300, 400, 3), 77, np.uint8)
    frame[50:250, 100:260] = face.crop
    whole = make().apply(SwappedFace(swapped.crop.copy(), swapped.mask.copy()), face, Quality())
    view = Target(1, frame[50:250, 100:260], face.landmarks, face.visibility, 0.0)
    found = checked(make(), swapped, view)
    assert np.array_equal(found.crop, whole.crop)
    assert np.array_equal(found.mask, whole.mask)
    assert (frame[:50] == 77).all()


def run(step: Finish, times: list[float], track: int = 1) -> list[SwappedFace]:
    """Copies of what a row of frames became."""
    found = [checked(step, *case(seed=number, time_s=t, track=track)) for number, t in enumerate(times)]
    return [SwappedFace(face.crop.copy(), face.mask.copy()) for face in found]


def same(ours: list[SwappedFace], theirs: list[SwappedFace]) -> bool:
    pairs = zip(ours, theirs, strict=True)
    return all(np.array_equal(a.crop, b.crop) and np.array_equal(a.mask, b.mask) for a, b in pairs)


TIMES = [0.0, 0.033, 0.066, 0.2, 3.0]


def test_the_same_stream_gives_the_same_again(make: Callable[[], Finish]) -> None:
    assert same(run(make(), TIMES), run(make(), TIMES))


def test_a_forgotten_track_starts_afresh(make: Callable[[], Finish]) -> None:
    step = make()
    first = run(step, TIMES)
    step.forget(1)
    step.forget(99)
    assert same(run(step, TIMES), first)


def test_tracks_do_not_share(make: Callable[[], Finish]) -> None:
    step = make()
    alone = run(make(), TIMES, track=2)
    both = []
    for number, t in enumerate(TIMES):
        swapped, face = case(seed=50 + number, time_s=t, track=1)
        swapped.crop[:] //= 2
        step.apply(swapped, face, Quality())
        found = checked(step, *case(seed=number, time_s=t, track=2))
        both.append(SwappedFace(found.crop.copy(), found.mask.copy()))
    assert same(both, alone)


def test_time_may_repeat_or_decrease(make: Callable[[], Finish]) -> None:
    run(make(), [5.0, 5.0, 4.0, -1.0, 1e9])
