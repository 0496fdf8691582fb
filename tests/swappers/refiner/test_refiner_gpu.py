"""The refiner on a GPU equals the host's, and never waits or depends on values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from people import move_person, person, place_mesh

torch = pytest.importorskip("torch", reason="torch is not installed")

from fake_networks import LEVELS, Both, Bound, Generator, apart, bind, mesh  # noqa: E402
from gpu_faces import SEEN, batch_of, crop_target  # noqa: E402

from rtswap.core.errors import ModelError  # noqa: E402
from rtswap.core.types import BatchedTarget, Quality, Target, TargetBatch  # noqa: E402
from rtswap.engines.torch.engine import TorchEngine  # noqa: E402
from rtswap.gpu.crops import CUT  # noqa: E402
from rtswap.networks.registry import Registry  # noqa: E402
from rtswap.swappers.mesh.gpu import TRACKS  # noqa: E402
from rtswap.swappers.mesh.swapper import MeshSwapModel  # noqa: E402
from rtswap.swappers.refiner import gpu as refiner_gpu  # noqa: E402
from rtswap.swappers.refiner.crop_view import CELLS, SHRINK, SIZE, place  # noqa: E402
from rtswap.swappers.refiner.gpu import GpuRefinerSwapModel  # noqa: E402
from rtswap.swappers.refiner.swapper import FORGOTTEN_S, RefinerSwapModel  # noqa: E402
from rtswap.vision.crops import cut, sampling  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def face_of(name: str, scale: float = 0.5, *, max_px: int = 480, time_s: float = 0.0, track: int = 1) -> Target:
    side = round(512 * scale)
    who = move_person(person(name), scale, (0.0, 0.0), (side, side))
    return crop_target(mesh(), who.portrait, who.landmarks, max_px, time_s, track)


def halvings_of(face: Target) -> int:
    matrix = place(face.landmarks)
    assert matrix is not None
    return sampling(matrix, face.crop.shape[1::-1], SHRINK)[1]


def test_crops_of_any_size_are_the_same_as_on_the_host() -> None:
    """All in one call. One is turned, one leaves its crop; smooth pictures, since OpenCV samples at 1/32 px."""
    sizes, scales, angles = ((640, 512), (512, 640), (88, 96), (320, 640)), (0.0526, 0.13, 0.9, 0.4), (0, 0.5, 0, -2)
    planes, rows = torch.zeros((4, 1, 640, 640)), np.zeros((4, refiner_gpu.NUMBERS), np.float32)
    noise, wanted = np.random.default_rng(3).integers(0, 256, (64, 64)).astype(np.uint8), []
    for index, (size, scale, angle) in enumerate(zip(sizes, scales, angles, strict=True)):
        picture = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shift = np.array([60, 70]) - turn @ np.array(size) / 2
        matrix = np.column_stack([turn, shift]).astype(np.float32)
        wanted.append(cut(np.asarray(picture, np.uint8), matrix, SIZE, SHRINK))
        planes[index, 0, : size[1], : size[0]] = torch.from_numpy(picture)
        rows[index, :CUT], rows[index, CUT] = sampling(matrix, size, SHRINK)
    assert rows[:, CUT].tolist() == [4, 2, 0, 1]
    found = refiner_gpu.cut_out(planes, torch.from_numpy(rows))[:, 0].numpy()
    assert apart(found, np.stack(wanted)) <= LEVELS


@pytest.mark.parametrize(
    ("scale", "max_px", "halvings"), [(0.12, 480, 0), (0.5, 480, 0), (0.9, 480, 1), (2.3, 1024, 2), (1.0, 56, 0)]
)
def test_agrees_at_every_size(scale: float, max_px: int, halvings: int) -> None:
    face = face_of("ben", scale, max_px=max_px)
    assert halvings_of(face) == halvings
    both = Both(lift=0.1)
    both.compare([face])
    assert sorted(both.there.asked[0]) == sorted(both.here.asked[0])


@pytest.mark.parametrize(
    ("face_px", "turned", "at"),
    [
        (150, {"yaw": 35}, (319, 239)),
        (150, {"roll": 40}, (160, 120)),
        (150, {"pitch": 30, "roll": -75}, (150, -40)),
        (220, {"yaw": -50}, (0, 100)),
        (18, {}, (0, 100)),
    ],
    ids=str,
)
def test_it_agrees_at_the_border_turned_and_tiny(face_px: float, turned: Any, at: tuple[float, float]) -> None:
    ground = np.random.default_rng(0).integers(90, 150, (60, 80, 3)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    face = crop_target(mesh(), ground, place_mesh(face_px, at, **turned), 200, 0.0)
    Both(lift=-0.1).compare([face])


@pytest.mark.parametrize("scale", [0.3, 0.4, 1.8])
def test_a_face_at_its_crop_s_border_is_continued_there(scale: float) -> None:
    """Landmarks that are not in the middle of the crop, and leave it."""
    face = face_of("carl", scale, max_px=1024)
    shift = np.array([0.4 * face.crop.shape[1], -0.3 * face.crop.shape[0], 0], np.float32)
    Both(lift=0.05).compare([replace(face, landmarks=face.landmarks + shift)])


def test_beyond_the_crop_the_last_pixel_s_gain_is_repeated() -> None:
    """Finishes that look around a pixel read on there."""
    both = Both(lift=0.1)
    face = face_of("ben", 0.9)
    shift = np.array([0.3 * face.crop.shape[1], 0, 0], np.float32)
    face = replace(face, landmarks=face.landmarks + shift)  # what the network sees ends beyond the crop
    found, before = both.compare([face]).crops[0].numpy(), both.below[-1].crops[0].numpy()
    height, width = face.crop.shape[:2]
    assert min(height, width) < len(found)
    gains = found / np.maximum(before, 1.0)
    at_y, at_x = (np.minimum(np.arange(len(found)), most - 1) for most in (height, width))
    free = (before > 60) & (before < 195) & (before[at_y][:, at_x] > 60) & (before[at_y][:, at_x] < 195)
    free[:height, :width] = False
    assert free.mean() > 0.03
    wanted = before * gains[at_y][:, at_x]
    assert np.abs(found - wanted)[free].max() < 4, "as far as rounding says"


def test_three_faces_of_several_sizes_at_once() -> None:
    faces = [face_of("ben", 0.9, track=1), face_of("carl", 0.2, track=2), face_of("dan", 0.5, track=3)]
    both = Both(lift=0.12)
    both.compare(faces)
    assert [len(one["mask"]) for one in both.there.asked] == [4]


def test_faces_are_followed_over_time_as_on_the_host_and_pauses_forgotten() -> None:
    both = Both()
    times = (0.0, 0.033, 0.066, 0.066, 0.2, 0.2 + FORGOTTEN_S + 0.01, 0.7, 0.3, 0.33)
    for index, (time_s, lift) in enumerate(zip(times, (0, 0.2, 0.2, 0.4, -0.3, 0.25, 0, 0.4, 0), strict=True)):
        both.there.lift = both.here.lift = lift
        others = [face_of("carl", 0.25, time_s=time_s, track=2)] if index % 3 else []
        both.compare([*others, face_of("ben", 0.4, time_s=time_s, track=1)])


def test_a_track_that_was_forgotten_starts_afresh() -> None:
    both = Both()
    both.compare([face_of("ben")])
    both.device.forget(1)
    both.host.forget(1)
    assert not both.device._since
    both.there.lift = both.here.lift = 0.25
    both.compare([face_of("ben", time_s=0.02)])


def test_another_s_past_is_never_followed() -> None:
    """More tracks than are remembered: who gets another's slot starts afresh, who comes back as well."""
    both = Both()
    for track in range(TRACKS + 3):
        both.there.lift = both.here.lift = 0.3 * (track % 2)
        both.compare([face_of("ben", 0.12, time_s=0.001 * track, track=track)])
    both.host.forget(0)
    both.there.lift = both.here.lift = -0.2
    both.compare([face_of("ben", 0.12, time_s=0.1, track=0)])


def test_at_low_quality_the_result_is_that_of_mesh() -> None:
    both = Both(lift=0.2)
    found = both.compare([face_of("ben")], Quality(match_color=False))
    assert torch.equal(found.crops, both.below[-1].crops)
    assert torch.equal(found.masks, both.below[-1].masks)
    assert not both.there.asked


@pytest.mark.parametrize("others", [0, 1])
def test_a_face_too_small_to_be_placed_leaves_that_one_as_mesh_made_it(others: int) -> None:
    both = Both(lift=0.2)
    carl = face_of("carl", track=2)
    nobody = replace(carl, landmarks=(carl.landmarks * 0.004 + 40).astype(np.float32))
    found = both.compare([nobody, face_of("ben", track=1)][: 1 + others])
    assert torch.equal(found.crops[0], both.below[-1].crops[0])
    assert torch.equal(found.masks[0], both.below[-1].masks[0])
    assert len(both.there.asked) == others


def test_output_of_a_wrong_shape_is_refused() -> None:
    both = Both(lift=0.2)
    fine = both.there.run
    both.there.run = lambda inputs: {"gains": np.zeros((1, 3, 3, 4), np.float32)}  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="gains"):
        both.device.swap_all(batch_of([face_of("ben")]), Quality())
    both.there.run = fine  # type: ignore[method-assign]
    both.compare([face_of("ben", time_s=0.03)])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_an_answer_without_numbers_leaves_a_swapped_face_as_on_the_host(value: float) -> None:
    both = Both(lift=0.2)
    fine = both.there.run
    gains = np.full((1, CELLS, CELLS, 3), value, np.float32)
    both.there.run = both.here.run = lambda inputs: {"gains": gains}  # type: ignore[method-assign]
    found = both.compare([face_of("ben")])
    assert torch.equal(found.crops, both.below[-1].crops) == bool(np.isnan(value))
    both.there.run = both.here.run = fine  # type: ignore[method-assign]
    both.compare([face_of("ben", time_s=0.02)])


def test_engine_without_device_access_runs_through_the_host() -> None:
    class Plain:
        name = "plain"
        run = staticmethod(Generator(lift=0.2).run)

    faces = batch_of([face_of("ben", track=1), face_of("dan", 0.3, track=2)])
    over, there = (bind(one).swap_all(faces, Quality()) for one in (Plain(), Generator(lift=0.2)))
    assert torch.equal(over.crops, there.crops)
    assert torch.equal(over.masks, there.masks)


def test_more_faces_than_a_batch_holds() -> None:
    both = Both(lift=0.15)
    both.compare([face_of("ben", 0.12, track=track) for track in range(19)])
    assert [len(one["mask"]) for one in both.there.asked] == [16, 4]


@pytest.mark.parametrize("name", ["ben", "dan"])
def test_with_the_shipped_network_it_agrees_with_the_host_s_own(name: str) -> None:
    """All of the refiner, ``mesh`` included: seen in the blended picture, as ``mesh`` is compared."""
    engine = TorchEngine(Registry(on_event=lambda text: None).path("refiner"), threads=1, device="cpu")
    host = RefinerSwapModel(MeshSwapModel(), engine).bind(person("ada"))
    device = GpuRefinerSwapModel(Bound(), engine).bind(person("ada"))
    for frame in range(3):
        face = face_of(name, 0.6, time_s=frame / 30)
        wanted = host.swap(face, Quality())
        found = device.swap_all(batch_of([face]), Quality())  # type: ignore[attr-defined]
        height, width = wanted.mask.shape
        crop, mask = (one[0, :height, :width].numpy() for one in (found.crops, found.masks))
        shown = [
            face.crop + (a.astype(float) - face.crop) * b[..., None] / 255
            for a, b in ((crop, mask), (wanted.crop, wanted.mask))
        ]
        difference = np.abs(shown[0] - shown[1])[wanted.mask > 0]
        assert difference.mean() < 1
        assert np.percentile(difference, 99.9) <= 6


def test_on_the_host_it_is_the_host_s() -> None:
    """A frame may be worked on there, too."""
    generator = Generator(lift=0.2)
    face = face_of("ben")
    wanted = RefinerSwapModel(MeshSwapModel(), generator).bind(person("ada")).swap(face, Quality())
    found = bind(generator).swap(face, Quality())
    assert np.array_equal(found.crop, wanted.crop)
    assert np.array_equal(found.mask, wanted.mask)


def test_it_can_be_captured_without_a_break() -> None:
    """``fullgraph`` raises at the first branch on a value, ``.item()`` or wait."""
    plain, captured = bind(Generator(lift=0.1)), bind(Generator(lift=0.1))
    for name in ("crop_view", "refined"):
        compiled = torch.compile(getattr(refiner_gpu, name), fullgraph=True, dynamic=False, backend="eager")
        setattr(captured, f"_{name}", compiled)
    faces = batch_of([face_of("ben", 0.2, track=1), face_of("dan", 0.15, track=2)])
    first, second = (one.swap_all(faces, Quality()) for one in (plain, captured))
    assert torch.equal(first.crops, second.crops)
    assert torch.equal(first.masks, second.masks)
    assert not torch._dynamo.utils.counters["graph_break"]


def test_what_is_remembered_is_not_changed_while_a_graph_is_made() -> None:
    """It is warmed up and captured with rows of zeros, which belong to nobody."""
    kept = torch.rand((TRACKS, CELLS, CELLS, 3))
    before = kept.clone()
    crops = torch.zeros((2, 64, 64, 3), dtype=torch.uint8)
    rows = torch.zeros((2, 4 * refiner_gpu.NUMBERS + SIZE * SIZE), dtype=torch.uint8)
    refiner_gpu.refined(crops, torch.zeros((2, CELLS, CELLS, 3)), rows, kept)
    assert torch.equal(kept, before)


def test_face_outside_its_crop_is_unchanged() -> None:
    face = BatchedTarget(1, place_mesh(90, (-4000, 90)), SEEN, 0.0, (96, 96))
    crops = torch.zeros((1, 96, 96, 3), dtype=torch.uint8)
    found = bind(Generator(lift=0.1)).swap_all(TargetBatch((face,), crops), Quality())
    assert not found.masks.any()
    assert found.crops.shape == crops.shape
