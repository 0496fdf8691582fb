"""``mesh`` on a device shows what ``mesh`` on the host shows, and nothing in it waits or depends on a value."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from people import move_person, person, place_mesh

torch = pytest.importorskip("torch", reason="torch is not installed")

from gpu_faces import SEEN, on_device, squares  # noqa: E402
from gpu_faces import crop_target as seen  # noqa: E402

from rtswap.core.types import BatchedTarget, Image, Points, Quality, SwappedFace, TargetBatch  # noqa: E402
from rtswap.swappers.mesh.gpu import TRACKS, GpuMeshSwapModel, GpuMeshSwapper  # noqa: E402
from rtswap.swappers.mesh.gpu_light import toned as toned_on_device  # noqa: E402
from rtswap.swappers.mesh.gpu_pixels import render  # noqa: E402
from rtswap.swappers.mesh.skin_tones import toned  # noqa: E402
from rtswap.swappers.mesh.swapper import MeshSwapModel, MeshSwapper  # noqa: E402
from rtswap.vision.topology import LEFT_BROW, RIGHT_BROW  # noqa: E402

MEAN, NEARLY_ALL = 2.0, 6.0
"""Levels of 255: how far the two may be apart on average, and in 999 of 1000 values."""
FEW = 3000
"""Values of which a thousandth is less than one pixel."""
FAINTEST = 8
"""Of 255: below it the map's outermost cells show, where a hundredth of a pixel leads elsewhere on the texture. What
is seen of that is judged in the blended picture."""


pytestmark = pytest.mark.usefixtures("one_thread")


def bound(name: str) -> tuple[MeshSwapper, GpuMeshSwapper]:
    """As ``made``, from memory; they have not seen track 1 yet."""
    both = made(name)
    for one in both:
        one.forget(1)
    return both


@cache
def made(name: str, **options: object) -> tuple[MeshSwapper, GpuMeshSwapper]:
    """One on the host, one on the device, which share nothing."""
    model = MeshSwapModel(**options)  # type: ignore[arg-type]
    host, device = model.bind(person(name)), GpuMeshSwapModel(model, "cpu").bind(person(name))
    assert isinstance(host, MeshSwapper)
    assert isinstance(device, GpuMeshSwapper)
    return host, device


def swap_all(device: GpuMeshSwapper, faces: list[BatchedTarget], crops: object, quality: Quality) -> tuple[Any, Any]:
    """Crops and masks."""
    found = device.swap_all(TargetBatch(tuple(faces), crops), quality)
    return found.crops, found.masks


def apart(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.abs(first.astype(float) - second)[where]


def crop_and_mask(swapped: SwappedFace) -> tuple[np.ndarray, np.ndarray]:
    return swapped.crop, swapped.mask


def check_alike(
    host: MeshSwapper, device: GpuMeshSwapper, image: Image, landmarks: Points, max_px: int = 480, at_s: float = 0.0
) -> None:
    quality = Quality()
    face = seen(host, image, landmarks, max_px, at_s)
    wanted = host.swap(face, quality)
    crops, masks = swap_all(device, [on_device(face)], squares([face]), quality)
    height, width = wanted.mask.shape
    crop, mask = crops[0, :height, :width].numpy(), masks[0, :height, :width].numpy()
    shown, everywhere = wanted.mask >= FAINTEST, np.ones(mask.shape, bool)
    blended = [
        face.crop + (a.astype(float) - face.crop) * b[..., None] / 255
        for a, b in ((crop, mask), crop_and_mask(wanted))
    ]
    for difference in (
        apart(crop, wanted.crop, shown),
        apart(mask, wanted.mask, everywhere),
        apart(*blended, wanted.mask > 0),
    ):
        if difference.size:
            assert difference.mean() <= MEAN
            assert np.percentile(difference, 99.9 if difference.size > FEW else 99) <= NEARLY_ALL
    assert not masks[0, height:].any()
    assert not masks[0, :, width:].any()
    assert not mask[[0, -1]].any()
    assert not mask[:, [0, -1]].any()


PAIRS = [("ada", "ben"), ("ben", "carl"), ("carl", "dan"), ("dan", "ada")]
PLACES = [(18, 0, (0, 100)), (18, 0, (150, 90)), (150, 35, (319, 239)), (150, 35, (150, -40)), (220, -50, (0, 100))]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_it_agrees_on_people(source: str, target: str) -> None:
    host, device = bound(source)
    who = person(target)
    check_alike(host, device, who.portrait, who.landmarks)
    far = move_person(who, 0.37, (40.0, 21.0), (320, 240))
    host.forget(1)
    device.forget(1)
    check_alike(host, device, far.portrait, far.landmarks)


@pytest.mark.parametrize(
    "options", [{"light": False}, {"hull": False}, {"skin": False}, {"expression": 0.5}], ids=str
)
def test_it_agrees_under_all_options(options: dict[str, object]) -> None:
    host, device = made("ben", **options)
    who = person("dan")
    check_alike(host, device, who.portrait, who.landmarks, max_px=240)


@pytest.mark.parametrize(("face_px", "yaw", "at"), PLACES, ids=str)
def test_it_agrees_at_the_border_turned_and_tiny(face_px: float, yaw: float, at: tuple[float, float]) -> None:
    host, device = bound("carl")
    ground = np.asarray(np.random.default_rng(0).integers(60, 190, (240, 320, 3)), np.uint8)
    check_alike(host, device, ground, place_mesh(face_px, at, yaw=yaw), max_px=200)


def test_the_black_level_is_followed_as_on_the_host() -> None:
    host, device = bound("ada")
    who = person("carl")
    for frame, foggy in enumerate((0, 0, 60, 60, 20, 0)):
        image = np.clip(who.portrait.astype(int) * 0.7 + foggy, 0, 255).astype(np.uint8)
        check_alike(host, device, image, who.landmarks, max_px=160, at_s=frame * 0.07)
    theirs = host._black_levels[1]
    ours = float(device.black_levels[device.slot(1)])
    assert ours == pytest.approx(theirs, abs=1.0)


def test_closed_eyes_and_wrinkles_are_as_on_the_host() -> None:
    """At rest, then while the person smiles, raises the brows and closes the eyes."""
    host, device = bound("ada")
    who, moved = person("carl"), person("carl").landmarks.copy()
    width = float(np.ptp(moved[:, 0]))
    for upper, lower in ((159, 145), (158, 153), (160, 144), (386, 374), (385, 380), (387, 373)):
        moved[upper] = moved[lower] - np.float32([0, 0.005 * width, 0])
    moved[[*LEFT_BROW, *RIGHT_BROW], 1] -= 0.03 * width
    moved[[61, 78, 291, 308], 0] += width * np.float32([-0.05, -0.05, 0.05, 0.05])
    check_alike(host, device, who.portrait, who.landmarks)
    check_alike(host, device, who.portrait, moved, at_s=0.5)
    placed = host._geometry.place(seen(host, who.portrait, moved, 480, 1.0), (480, 480))
    assert placed is not None
    assert min(placed.narrowed) > 0.9
    assert placed.wrinkles is not None
    assert placed.wrinkles.max() > 0.5


def test_several_faces_at_once_are_as_one_after_the_other() -> None:
    _, device = bound("dan")
    faces = []
    for name, scale in (("ada", 0.5), ("ben", 0.3), ("carl", 0.4)):
        who = move_person(person(name), scale, (10.0, 5.0), (320, 300))
        faces.append(seen(device, who.portrait, who.landmarks, 256, 0.0))
    together = swap_all(device, [on_device(face, k) for k, face in enumerate(faces)], squares(faces), Quality())
    for index, face in enumerate(faces):
        alone = squares(faces)[index : index + 1]
        crop, mask = swap_all(device, [on_device(face, 10 + index)], alone, Quality())
        assert (crop[0].int() - together[0][index].int()).abs().max() <= 1
        assert (mask[0].int() - together[1][index].int()).abs().max() <= 1


def test_a_face_outside_its_crop_is_left_alone() -> None:
    _, device = bound("ada")
    face = BatchedTarget(1, place_mesh(90, (-4000, 90)), SEEN, 0.0, (96, 96))
    crops = torch.zeros((1, 96, 96, 3), dtype=torch.uint8)
    swapped, masks = swap_all(device, [face], crops, Quality())
    assert not masks.any()
    assert swapped.shape == crops.shape


def test_more_people_come_and_go_than_are_remembered() -> None:
    _, device = bound("ada")
    who = move_person(person("ben"), 0.2, (4.0, 4.0), (120, 120))
    face = seen(device, who.portrait, who.landmarks, 64, 0.0)
    slots = {device.slot(track) for track in range(3 * TRACKS)}
    assert slots == set(range(TRACKS - 1))
    for track in range(3 * TRACKS):
        device.forget(track)
    swap_all(device, [on_device(face, 999)], squares([face]), Quality())
    assert device.slot(999) == 0, "all places are free again"


def test_it_can_be_captured_without_a_break() -> None:
    """``fullgraph`` raises at the first branch on a value, ``.item()`` or wait."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()  # of tests before this one
    _, device = bound("ben")
    captured = GpuMeshSwapper(MeshSwapModel().face(person("ben")), device="cpu")
    captured._render = torch.compile(render, fullgraph=True, dynamic=False, backend="eager")
    for scale, track in ((0.1, 1), (0.13, 2)):
        who = move_person(person("ada"), scale, (4.0, 4.0), (90, 90))
        face = seen(device, who.portrait, who.landmarks, 64, 0.0)
        args = [on_device(face, track)], squares([face]), Quality()
        for one, other in zip(swap_all(device, *args), swap_all(captured, *args), strict=True):
            assert (one.int() - other.int()).abs().max() <= 1
    assert not torch._dynamo.utils.counters["graph_break"]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("lighter", [-0.4, 0.1, 0.3, 0.8])
@pytest.mark.parametrize("theirs", [0.9, 0.6, 0.2])
def test_one_skin_is_shown_on_another_alike(lighter: float, theirs: float) -> None:
    own = 0.7
    ratios = np.random.default_rng(3).integers(90, 160, (16, 16, 3), np.uint8)
    shares = np.zeros((16, 16, 2), np.uint8)
    shares[:4, :, 0] = shares[12:, :, 1] = 255
    host = toned(ratios, lighter, (own, theirs), lambda: shares)
    planes = torch.from_numpy(ratios).permute(2, 0, 1)[None].float()
    features = [torch.from_numpy(shares[..., one] / np.float32(255))[None, None] for one in range(2)]
    found = toned_on_device(planes, features, torch.tensor([lighter]), own, torch.tensor([theirs]))
    assert np.abs(found[0].permute(1, 2, 0).numpy() - host).max() <= 2  # OpenCV mixes channels in fixed point
