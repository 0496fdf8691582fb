"""FSGAN: the original's sizes, what its networks do by construction, losses by hand, and short trainings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import torch
from imported_swappers import ENGINES
from people import person, place_mesh, swap_face
from short_trainings import Seconds
from small_recipes import one_shot_arguments
from torch import Tensor, nn

from rtswap.app.sections import MaskConfig, SwapConfig
from rtswap.core.errors import UsageError
from rtswap.core.parts import BuildContext
from rtswap.networks.model_store import add
from rtswap.networks.registry import Registry
from rtswap.swappers import swapper_spec
from rtswap.training.crowd import Crowd
from rtswap.training.losses import decibels
from rtswap.training.recipe import Moment
from rtswap.training.recipes.fsgan import losses
from rtswap.training.recipes.fsgan.graphs import graphs_of
from rtswap.training.recipes.fsgan.network import Bells, Blend, Critic, Dims, Fsgan, Inpaint, Membrane, Reenact
from rtswap.training.recipes.fsgan.recipe import FsganRecipe, numbers
from rtswap.training.recipes.fsgan.samples import ORDER, RIM, Samples, clone, lesson_of
from rtswap.training.system_file import CLOSE, difference, to_onnx, write_system
from rtswap.training.trainer import Trainer
from rtswap.vision.geometry import canonical
from rtswap.vision.topology import LIPS_INNER, OVAL

SIDE = 64
TINY = Dims(SIDE, True, (16, 24, 32), (16, 24, 32), 8)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    torch.manual_seed(0)


def millions(module: nn.Module) -> float:
    return sum(part.numel() for part in module.parameters()) / 1e6


def test_networks_have_the_originals_number_of_weights() -> None:
    """By the layers of YuvalNirkin/fsgan: 98 landmarks, a view; a face and its holes; face, target and mask."""
    with torch.device("meta"):
        dims = Dims()
        found = [millions(kind(dims)) for kind in (Reenact, Inpaint, Blend, Critic)]
        lite = [millions(kind(Dims.of(128, "lite"))) for kind in (Reenact, Inpaint, Blend)]
    assert found == pytest.approx([76.0, 74.15, 74.2, 5.53], abs=0.05)
    assert lite == pytest.approx([1.40, 0.78, 0.79], abs=0.01)


@pytest.mark.parametrize("dims", [Dims(64), Dims.of(128, "lite"), TINY])
def test_shapes(dims: Dims) -> None:
    side = dims.resolution
    with torch.device("meta"):
        face, points = torch.empty(2, 3, side, side), torch.empty(2, 468, 3)
        mask = face[:, :1]
        made = [Reenact(dims)(face, points, points), Inpaint(dims)(face, mask), Blend(dims)(face, face, mask)]
        scores = Critic(dims)(face)
    assert all(one.shape == face.shape for one in made)
    assert [one.shape[-1] for one in scores] == [side // 8 + 3, side // 16 + 3]


def test_landmarks_are_bells_at_their_places() -> None:
    points = torch.from_numpy(canonical().mesh * np.float32(16) + np.float32(32))[None]
    maps = Bells(64, 32, single=False)(points)
    assert maps.shape == (1, 8, 32, 32)
    assert float(maps.max()) <= 1
    for channel, ring in ((0, OVAL), (7, LIPS_INNER)):
        for number in ring[::5]:
            x, y = ((points[0, number, :2] + 0.5) / 2 - 0.5).round().int().tolist()
            assert float(maps[0, channel, y, x]) > 0.5
    assert float(maps[0, 0, 16, 16]) < 1e-3
    assert Bells(64, 64, single=True)(points).shape == (1, 98, 64, 64)


def test_without_a_hole_inpainting_returns_its_input_and_never_sees_what_is_hidden() -> None:
    network, face = Inpaint(TINY).eval(), torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    assert torch.equal(network(face, torch.zeros(1, 1, SIDE, SIDE)), face)
    hole = torch.zeros(1, 1, SIDE, SIDE)
    hole[..., 20:40, 20:40] = 1
    made = network(face, hole)
    assert torch.equal(made * (1 - hole), face * (1 - hole))
    assert torch.equal(network(face * (1 - hole), hole), made)


def test_blending_begins_with_poissons_equation_and_changes_nothing_outside() -> None:
    network = Blend(TINY).eval()
    yy, xx = torch.meshgrid(torch.arange(SIDE) / SIDE, torch.arange(SIDE) / SIDE, indexing="ij")
    target = torch.stack([0.4 * xx, 0.3 * yy, 0.2 * xx * yy])[None]
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 16:48, 16:48] = 1
    assert torch.allclose(network(target + 0.3, target, mask), target, atol=2e-2)  # another level: none is left
    detail = torch.zeros_like(target)
    detail[..., 28:36, 28:36] = 0.2
    made = network(target + 0.3 + detail, target, mask)
    assert torch.allclose((made - target)[..., 26:38, 26:38], detail[..., 26:38, 26:38], atol=5e-2)
    hidden = target.clone()
    hidden[..., 22:42, 22:42] = 0.9
    assert torch.allclose(network(target + 0.3, hidden, mask), network(target + 0.3, target, mask), atol=1e-4)
    nn.init.normal_(network.painter.end.weight)
    made = network(target + 0.3, target, mask)
    assert torch.equal(made * (1 - mask), target * (1 - mask))


def test_the_membrane_solves_the_equation() -> None:
    """Within the mask the solution's Laplacian is the face's, elsewhere the target's."""
    face, target = (torch.rand(1, 3, SIDE, SIDE) for _ in range(2))
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 20:40, 20:40] = 1
    found = Membrane(SIDE)(face, target, mask)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).expand(3, 1, 3, 3)
    laplacians = [nn.functional.conv2d(one, kernel, groups=3) for one in (found, face, target)]
    assert torch.allclose(laplacians[0][..., 22:36, 22:36], laplacians[1][..., 22:36, 22:36], atol=1e-3)
    assert torch.allclose(laplacians[0][..., :14, :], laplacians[2][..., :14, :], atol=1e-3)


class Mean(nn.Module):
    """A critic of one scale whose score is the mean of the picture."""

    def forward(self, pictures: Tensor) -> list[Tensor]:
        return [pictures.mean((1, 2, 3), keepdim=True)]


def test_losses_by_hand() -> None:
    """2 x 2 grey levels off by 0.4, 0.2, 0.1 and 0, the first two within the mask."""
    off = torch.tensor([[0.4, 0.2], [0.1, 0.0]]).expand(1, 3, 2, 2)
    mask = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert float(losses.off(off, torch.zeros_like(off), mask)) == pytest.approx(0.3)
    assert losses.on_face(mask).flatten().tolist() == pytest.approx([1, 1, 0.1, 0.1])
    assert float(losses.generator_loss(Mean(), torch.full((2, 3, 2, 2), 0.25))) == pytest.approx(0.75**2)  # type: ignore[arg-type]
    made, real = torch.full((2, 3, 2, 2), 0.5), torch.full((2, 3, 2, 2), 0.8)
    assert float(losses.critic_loss(Mean(), made, real)) == pytest.approx((0.25 + 0.04) / 2)  # type: ignore[arg-type]


def crowd(people: int = 30) -> Crowd:
    """Faces of one colour each, unevenly lit, with darker features, in front of another colour; turned a little."""
    rng = np.random.default_rng(0)
    pictures, masks, points = [], [], []
    for _ in range(people):
        turn = rng.uniform(-0.4, 0.4)
        cos, sin = np.cos(turn), np.sin(turn)
        mesh = canonical().mesh @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]) * 16 + np.array([32, 32, 0])
        picture = np.full((SIDE, SIDE, 3), rng.integers(80, 176, 3), np.uint8)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        ring = np.round(mesh[OVAL, :2]).astype(np.int32)
        skin = rng.integers(90, 196, 3)
        cv2.fillPoly(picture, [ring], skin.tolist())
        cv2.fillPoly(mask, [ring], 255)
        for x, y in mesh[[33, 133, 362, 263, 61, 291, 13, 14, 1], :2]:
            cv2.circle(picture, (round(x), round(y)), 2, (skin / 3).tolist(), -1)
        across, down = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2)
        light = rng.normal(0, 30) * across + rng.normal(0, 30) * down + rng.normal(0, 30) * np.sin(6 * across * down)
        lit = np.clip(cv2.GaussianBlur(picture, (0, 0), 0.7) + light[..., None], 0, 255)
        pictures.append(lit.astype(np.uint8))
        masks.append(mask)
        points.append(mesh.astype(np.float32))
    vectors = rng.normal(size=(people, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Crowd(np.stack(pictures), np.stack(masks), np.stack(points), vectors, np.arange(people))


def test_samples_teach_in_turn_and_say_what() -> None:
    samples = Samples(crowd(), 3, 0)
    for number in range(len(ORDER)):
        kind, rows, *parts = samples.batch(number)
        assert ORDER[kind[0]] == lesson_of(number) == lesson_of(number + len(ORDER))
        assert all(len(part) == 3 for part in (rows, *parts))
    again = samples.batch(1)
    assert all(np.array_equal(one, other) for one, other in zip(samples.batch(1), again, strict=True))
    assert {lesson_of(number) for number in range(len(ORDER))} == {"views", "hole", "seam"}


def test_the_truth_of_a_view_is_the_photo_and_holes_stay_on_the_face() -> None:
    samples, rng = Samples(crowd(), 1, 0), np.random.default_rng(0)
    assisted = Samples(crowd(), 1, 0, assisted=True)
    moved_first, moved_back = [], []
    for _ in range(8):
        seed = int(rng.integers(1 << 30))
        _, view, points, truth, goal, mask = samples.views(np.random.default_rng(seed))
        _, back, *_ = assisted.views(np.random.default_rng(seed))
        inside = mask > 127
        moved_first.append(np.abs(view.astype(int) - truth)[inside].mean())
        moved_back.append(np.abs(back.astype(int) - truth)[inside].mean())
        assert points.shape == goal.shape == (468, 3)
        _, face, hole, mask = samples.hole(rng)
        assert not hole[outside(mask)].any()
        assert face.shape == (SIDE, SIDE, 3)
    assert np.mean(moved_back) < 0.7 * np.mean(moved_first)


def outside(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0


def test_the_truth_of_a_seam_keeps_the_target_around_and_leaves_the_mask_alone() -> None:
    rng = np.random.default_rng(0)
    face, target = (np.full((SIDE, SIDE, 3), level, np.uint8) for level in (200, 90))
    face[24:40, 24:40] += rng.integers(0, 30, (16, 16, 3), np.uint8)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[16:48, 16:48] = 255
    kept = mask.copy()
    made = clone(face, target, mask)
    assert np.array_equal(mask, kept)
    assert np.array_equal(made[mask == 0], target[mask == 0])
    assert np.abs(made[26:38, 26:38].astype(int) - (face[26:38, 26:38].astype(int) - 110)).mean() < 3
    assert np.array_equal(clone(face, target, np.zeros_like(mask)), target)
    drawn = Samples(crowd(), 1, 0).seam(rng)[3]
    assert not drawn[:RIM].any()


def test_only_some_resolutions_fit() -> None:
    with pytest.raises(UsageError, match="unsupported --resolution"):
        FsganRecipe(one_shot_arguments("fsgan", resolution=72), crowd())


def test_a_batch_teaches_its_network_alone_and_late_views_the_critic() -> None:
    recipe = FsganRecipe(one_shot_arguments("fsgan"), crowd())
    samples = Samples(recipe.crowd, 4, 0)
    for number, part in ((0, "reenact"), (1, "blend"), (3, "inpaint")):
        before = {name: value.clone() for name, value in recipe.network.named_parameters()}
        batch = [torch.from_numpy(one) for one in samples.batch(number)]
        terms = recipe.step(iter([batch]), Moment(number, 0.1, 1e-3))
        moved = {
            name.split(".")[0] for name, value in recipe.network.named_parameters() if (value != before[name]).any()
        }
        assert moved == {part}
        assert terms.keys() <= recipe.weights.keys()
    batch = [torch.from_numpy(one) for one in samples.batch(0)]
    assert {"fooled", "critic"} <= recipe.step(iter([batch]), Moment(0, 0.9, 1e-3)).keys()


@pytest.mark.parametrize("kind", ["views", "seam", "hole"])
def test_two_people_are_learnt_by_heart(kind: str) -> None:
    """Overfitted on a batch: 30 dB."""
    samples = Samples(crowd(), 2, 1)
    network = Fsgan(TINY)
    parts = [numbers(torch.from_numpy(one)) for one in samples.batch(ORDER.index(kind))[2:]]
    make: Callable[[], Tensor]
    if kind == "views":
        make, truth, where = lambda: network.reenact(*parts[:2], parts[3]), parts[2], parts[4]
    elif kind == "seam":
        make, truth, where = lambda: network.blend(*parts[:3]), parts[3], parts[2]
    else:
        make, truth, where = lambda: network.inpaint(*parts[:2]), parts[0], parts[1] * parts[2]
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=300)
    for _ in range(300):
        optimiser.zero_grad()
        losses.off(make(), truth, where).backward()
        optimiser.step()
        rates.step()
    assert decibels(make().detach(), truth, where, 2) > 30


@pytest.mark.parametrize("assisted", [False, True])
def test_graphs_answer_as_torch(assisted: bool, tmp_path: Path) -> None:
    network = Fsgan(TINY, assisted=assisted).eval()
    nn.init.normal_(network.blend.painter.end.weight, std=0.05)
    graphs = graphs_of(network)
    assert list(graphs) == ["reenact", "inpaint", "blend"]
    assert next(iter(graphs["reenact"].examples)) == ("warped" if assisted else "view")
    for graph in graphs.values():
        assert difference(to_onnx(graph), graph) <= CLOSE
    assert write_system(graphs, tmp_path / "x.rtswap", system="fsgan", template="whole") <= CLOSE


@pytest.mark.usefixtures("models")
def test_its_file_is_added_and_swaps(tmp_path: Path) -> None:
    write_system(graphs_of(Fsgan(TINY)), tmp_path / "any.rtswap", system="fsgan", template="whole")
    add(tmp_path / "any.rtswap")
    spec = swapper_spec("any")
    engines = {name: ENGINES["onnxruntime"](Registry().path(name).read_bytes()) for name in spec.networks}
    assert len(engines) == 3
    swapper = spec.build(BuildContext(SwapConfig(), MaskConfig(), engines)).bind(person("ada"))
    swapped, face = swap_face(swapper, np.full((480, 640, 3), 90, np.uint8), place_mesh(150, (320, 240)))
    assert swapped.crop.shape == face.crop.shape
    assert (swapped.mask == 255).any()


def test_a_short_training_learns_all_three(tmp_path: Path) -> None:
    recipe = FsganRecipe(one_shot_arguments("fsgan", rate=3e-3, faithful=True), crowd())
    Trainer(recipe, tmp_path, minutes=2, clock=Seconds()).run()
    history = json.loads((tmp_path / "history.json").read_text())
    first, *_, last = (row for row in history if "blend_psnr" in row)
    assert last["blend_psnr"] > first["blend_psnr"]
    assert last["view_psnr"] > first["view_psnr"] + 3
    assert last["hole_psnr"] > first["hole_psnr"] + 0.5
    assert list(tmp_path.glob("contact-*.png"))
