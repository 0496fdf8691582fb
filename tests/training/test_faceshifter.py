"""FaceShifter: the papers' sizes, gates, binding, losses worked out by hand, and that it learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")

import torch
from facesets import make_record
from short_trainings import Seconds
from small_crowd import small_crowd, supply_triplets
from small_recipes import one_shot_arguments
from torch import Tensor

from rtswap.core.errors import UsageError
from rtswap.networks.landmarks import place
from rtswap.training.crowd import Crowd
from rtswap.training.recipes.faceshifter import losses
from rtswap.training.recipes.faceshifter.critic import Critic
from rtswap.training.recipes.faceshifter.hear import Hear, clutter, find_lost
from rtswap.training.recipes.faceshifter.network import PAPER, Aad, Aei, Bound, Dims
from rtswap.training.recipes.faceshifter.recipe import FaceShifterRecipe, dims_of
from rtswap.training.recipes.faceshifter.samples import Portraits, seen_by_recogniser
from rtswap.training.recipes.faceshifter.spec import SPECS
from rtswap.training.system_file import difference, to_onnx
from rtswap.training.trainer import Trainer
from rtswap.training.warp import grid

TINY = Dims(64, False, 1, (8, 16, 16, 16, 16), (16, 16, 16, 16), (16, 16, 16, 16, 16), 2, (8, 16, 16, 16))


pytestmark = pytest.mark.usefixtures("one_thread")


def millions(network: torch.nn.Module) -> float:
    return sum(part.numel() for part in network.parameters()) / 1e6


def test_networks_have_the_papers_number_of_weights() -> None:
    """By the layers of maum-ai/faceshifter and taotaonice/FaceShifter."""
    with torch.device("meta"):
        assert millions(Aei(PAPER["maum"])) == pytest.approx(439.3, abs=0.05)
        assert millions(Aei(PAPER["tao"])) == pytest.approx(184.3, abs=0.05)
        assert millions(Critic((64, 128, 256), 512, 3)) == pytest.approx(8.3, abs=0.05)
        assert millions(Hear.of(PAPER["tao"])) == pytest.approx(16.7, abs=0.05)


@pytest.mark.parametrize("layout", ["tao", "maum"])
def test_the_papers_attribute_maps_have_their_sizes(layout: str) -> None:
    with torch.device("meta"):
        network = Aei(PAPER[layout])
        faces = torch.empty(2, 3, 256, 256)
        maps = network.encoder(faces)
        made = network(faces, network.bind(faces, torch.empty(2, PAPER[layout].identity)))
    assert [(one.shape[1], one.shape[-1]) for one in maps] == [
        (1024, 2), (2048, 4), (1024, 8), (512, 16), (256, 32), (128, 64), (64, 128), (64, 256),
    ]  # fmt: skip
    assert made.shape == faces.shape


@pytest.mark.parametrize("resolution", [64, 128, 256])
def test_the_small_network_fits_its_resolutions(resolution: int) -> None:
    dims = dims_of("small", resolution)
    with torch.device("meta"):
        network, faces = Aei(dims), torch.empty(2, 3, resolution, resolution)
        assert network(faces, network.bind(faces, torch.empty(2, 128))).shape == faces.shape
    assert dims.lowest == 2


def test_only_powers_of_two_fit() -> None:
    for layout, resolution in (("small", 32), ("small", 96), ("tao", 64)):
        with pytest.raises(UsageError, match="unsupported --resolution"):
            dims_of(layout, resolution)


@pytest.mark.parametrize(
    "dims", [TINY, replace(TINY, gate="channel", norm="instance", kernel=3)], ids=["small", "full"]
)
@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_a_gate_lets_nothing_of_the_other_side_through(
    dims: Dims, gate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every denormalisation: with a gate of 0 the identity, with 1 the attributes have a gradient of exactly 0."""
    torch.manual_seed(0)
    network = Aei(dims)
    mixed = Aad.mixed
    seen: list[tuple[list[Tensor], list[Tensor]]] = []

    def forced(h: Tensor, target: tuple[Tensor, ...], source: tuple[Tensor, ...], _: Tensor) -> Tensor:
        parts = [[part.detach().requires_grad_() for part in side] for side in (target, source)]
        seen.append((parts[0], parts[1]))
        return mixed(h, *map(tuple, parts), torch.full_like(h[:, :1], gate))

    monkeypatch.setattr(Aad, "mixed", staticmethod(forced))
    faces = torch.rand(2, 3, 64, 64)
    network(faces, network.bind(faces, torch.rand(2, 128))).square().sum().backward()
    assert len(seen) == sum(len(block.aads) for block in network.generator.blocks)
    for target, source in seen:
        still, moved = (source, target) if gate == 0 else (target, source)
        assert not any(part.grad.any() for part in still)
        assert all(part.grad.any() for part in moved)


def test_mixed_by_hand() -> None:
    """Feature 2; the target's 3 x + 1 is 7, the source's 5 x - 1 is 9: a quarter of the way is 7.5."""
    h, *numbers, gate = (torch.full((1, 1, 1, 1), value) for value in (2.0, 3.0, 1.0, 5.0, -1.0, 0.25))
    assert float(Aad.mixed(h, tuple(numbers[:2]), tuple(numbers[2:]), gate)) == pytest.approx(7.5)


def test_a_source_that_was_bound_once_gives_what_an_unbound_one_gives() -> None:
    torch.manual_seed(0)
    network = Aei(TINY).eval()
    faces, photo = torch.rand(3, 3, 64, 64), torch.rand(1, 3, 64, 64)
    embedding = torch.nn.functional.normalize(torch.rand(1, 128))
    with torch.no_grad():
        bound = Bound(*(one.clone() for one in network.bind(photo, embedding)))
        once = torch.cat([network(face[None], bound) for face in faces])
        each = network(faces, network.bind(photo.expand(3, -1, -1, -1), embedding.expand(3, -1)))
    torch.testing.assert_close(once, each, atol=1e-5, rtol=0)


def test_losses_by_hand() -> None:
    """2 x 2 errors of .4, .2, .2, 0: half their mean square, then with the first alone."""
    made = torch.tensor([[0.4, 0.2], [0.2, 0.0]]).expand(1, 3, 2, 2)
    truth, all_, first = torch.zeros_like(made), torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    first[..., 0, 0] = 1
    assert float(losses.reconstruction(made, truth, all_)) == pytest.approx(0.5 * 0.24 / 4)
    assert float(losses.reconstruction(made, truth, first)) == pytest.approx(0.5 * 0.16 / 4)
    maps = [torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0]])]
    assert float(losses.attributes(maps, [torch.zeros(1, 2), torch.zeros(1, 1)])) == pytest.approx(0.5 * (5 + 4))
    real, fake = [torch.tensor([2.0, 0.5])], [torch.tensor([-2.0, 0.0])]
    assert float(losses.critic_loss(real, fake)) == pytest.approx(0.25 + 0.5)
    assert float(losses.generator_loss(fake)) == pytest.approx(1.0)


def test_faces_are_hidden_in_cells_where_their_mask_is() -> None:
    torch.manual_seed(0)
    noise, masks = torch.randn(3, 3, 16, 16), torch.zeros(3, 1, 16, 16)
    masks[..., :8] = 1
    found = losses.hide(noise, masks, torch.tensor([0, 4, 8]))
    assert torch.equal(found[0], noise[0])
    assert torch.equal(found[..., 8:], noise[..., 8:])
    assert found[2, :, :, :8].std() < found[1, :, :, :8].std() < 0.5
    flat = torch.full_like(noise, 0.3)
    torch.testing.assert_close(losses.hide(flat, masks, torch.tensor([0, 4, 8])), flat)


def test_a_change_in_grey_has_no_colour() -> None:
    given, made = torch.zeros(1, 3, 4, 4), torch.tensor([0.3, 0.0, 0.6]).view(1, 3, 1, 1).repeat(1, 1, 4, 4)
    torch.testing.assert_close(losses.grey_change(made, given, 2), torch.full((1, 3, 4, 4), 0.3))
    made[..., ::2, :] *= -1
    assert not losses.grey_change(made, given, 2).any()


def crowd(count: int = 40, side: int = 64) -> Crowd:
    """People who differ in where a bright square lies, in its colour and in the colour around it."""
    rng = np.random.default_rng(0)
    mesh = make_record(0, side).landmarks
    pictures = np.zeros((count, side, side, 3), np.uint8)
    pictures[:] = rng.integers(60, 200, (count, 1, 1, 3))
    for picture in pictures:
        x, y = rng.integers(side // 4, side // 2, 2)
        picture[y : y + side // 5, x : x + side // 5] = rng.integers(0, 256, 3)
    masks = np.zeros((count, side, side), np.uint8)
    masks[:, side // 8 : -side // 8, side // 8 : -side // 8] = 255
    vectors = rng.normal(size=(count, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Crowd(pictures, masks, np.stack([mesh] * count), vectors, np.arange(count))


def test_the_recogniser_is_shown_the_face_wherever_a_sample_has_it() -> None:
    points = make_record(0, 64).landmarks
    still = seen_by_recogniser(points, grid(64))
    np.testing.assert_allclose(still, place(points, 96), atol=1e-3)
    moved = seen_by_recogniser(points, grid(64) + np.float32([3, -2]))
    np.testing.assert_allclose(moved[:, 2] - still[:, 2], still[:, :2] @ [3, -2], atol=1e-3)
    mirrored = seen_by_recogniser(points, np.ascontiguousarray(grid(64)[:, ::-1]))
    eye = np.append(points[[33, 133], :2].mean(0), 1)
    other = np.append([63, 0] + points[[362, 263], :2].mean(0) * [-1, 1], 1)
    np.testing.assert_allclose(mirrored @ other, still @ eye, atol=1.5)


def test_batches_are_the_same_each_time_and_fit_together() -> None:
    portraits = Portraits(crowd(), 4, seed=3)
    one, again, other = portraits.batch(5), portraits.batch(5), portraits.batch(6)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    assert [part.shape for part in one] == [(4, 64, 64, 3), (4, 64, 64), (4, 2, 3), (4, 64, 64, 3), (4, 128)]


def begin(monkeypatch: pytest.MonkeyPatch, **more: object) -> FaceShifterRecipe:
    monkeypatch.setattr(
        "rtswap.training.recipes.faceshifter.recipe.dims_of", lambda *_, **more: replace(TINY, **more)
    )
    torch.manual_seed(0)
    return FaceShifterRecipe(one_shot_arguments("faceshifter", batch=8, **more), crowd())


def test_two_pictures_are_learnt_by_heart() -> None:
    torch.manual_seed(0)
    network = Aei(replace(TINY, norm="instance"))
    faces = torch.nn.functional.interpolate(torch.rand(2, 3, 6, 6), size=64, mode="bilinear").clamp(0.1, 0.9) * 2 - 1
    embeddings = torch.nn.functional.normalize(torch.randn(2, 128))
    optimiser = torch.optim.Adam(network.parameters(), 4e-3)
    for step in range(120):
        optimiser.param_groups[0]["lr"] = 4e-3 * (1 - step / 120)
        off = network(faces, network.bind(faces, embeddings)) - faces
        optimiser.zero_grad()
        off.square().mean().backward()
        optimiser.step()
    assert -10 * float(torch.log10((off.detach() / 2).square().mean())) > 30


def test_a_short_training_improves_held_out_faces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recipe = begin(monkeypatch, rate=4e-3)
    Trainer(recipe, tmp_path, minutes=60 / 60, clock=Seconds()).run()
    history = json.loads((tmp_path / "history.json").read_text())
    tried = [row for row in history if "same_psnr" in row]
    assert tried[-1]["same_psnr"] > tried[0]["same_psnr"] + 3
    named = {name for row in history for name in row}
    assert {"same", "identity", "attributes", "back", "fooled", "critic", "source", "target", "detail"} <= named


@pytest.mark.parametrize("hear", [0.0, 0.5])
def test_the_graphs_say_what_torch_says(hear: float, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = begin(monkeypatch, hear=hear).graphs()
    assert list(graphs) == ["frame", "bind"]
    for graph in graphs.values():
        assert difference(to_onnx(graph), graph) < 1e-3
    assert set(graphs["bind"].outputs) <= set(graphs["frame"].examples)


def test_an_assisted_network_corrects_the_swap_that_it_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in ("recipes.faceshifter.recipe", "lessons"):
        monkeypatch.setattr(f"rtswap.training.{module}.supply", supply_triplets)
    recipe = begin(monkeypatch, variant="assisted", out=tmp_path, rate=4e-3)
    Trainer(recipe, tmp_path, minutes=40 / 60, clock=Seconds()).run()
    tried = [row for row in json.loads((tmp_path / "history.json").read_text()) if "same_psnr" in row]
    assert tried[-1]["same_psnr"] > tried[0]["same_psnr"] + 1
    graphs = recipe.graphs()
    assert "warped" in graphs["frame"].examples
    assert difference(to_onnx(graphs["frame"]), graphs["frame"]) < 1e-3
    with pytest.raises(UsageError, match="--hear"):
        begin(monkeypatch, variant="assisted", hear=0.2)


def test_a_painted_occluder_returns_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """HEAR-Net begins by changing nothing; after a few steps it puts back a bar that AEI-Net did not see."""
    torch.manual_seed(0)
    hear = Hear((16, 24), (16,), 2)
    swapped = torch.nn.functional.interpolate(torch.rand(4, 3, 4, 4), size=32, mode="bilinear") - 0.5
    error = torch.zeros_like(swapped)
    assert torch.equal(hear(swapped, error), swapped)
    optimiser = torch.optim.Adam(hear.parameters(), 1e-2)
    for step in range(60):
        error, row = torch.zeros_like(swapped), 4 * (step % 6)
        error[:2, :, row : row + 8] = 0.8
        made = hear(swapped, error)
        optimiser.zero_grad()
        ((made - swapped - error).abs().mean()).backward()
        optimiser.step()
    hear.eval()
    bar = torch.zeros_like(swapped)
    bar[..., 10:18, :] = 0.8
    still, returned = hear(swapped, torch.zeros_like(swapped)) - swapped, hear(swapped, bar) - swapped
    assert still.abs().mean() < 0.08
    assert returned[..., 12:16, :].mean() > 0.5


def test_hear_net_learns_after_aei_net_which_then_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = begin(monkeypatch, hear=0.5)
    Trainer(recipe, tmp_path, minutes=40 / 60, clock=Seconds()).run()
    assert recipe.network.mending == 1
    assert not any(part.requires_grad for part in recipe.network.aei.parameters())
    assert recipe.network.hear.picture.weight.any()
    faces = torch.rand(2, 3, 64, 64)
    assert find_lost(recipe.network.aei, recipe.embedder, faces).shape == faces.shape
    history = json.loads((tmp_path / "history.json").read_text())
    assert {"mended", "change", "identity"} <= {name for row in history for name in row}


def test_something_stands_before_most_faces() -> None:
    torch.manual_seed(0)
    faces = torch.rand(40, 3, 32, 32)
    changed = (clutter(faces) != faces).float().mean((1, 2, 3))
    assert 0.5 < (changed > 0).float().mean() < 0.95
    assert 0.05 < changed.mean() < 0.5


def test_a_network_begins_without_a_grid() -> None:
    """Neighbours within a place of the last map are alike before anything was learnt."""
    torch.manual_seed(0)
    network = Aei(replace(TINY, shuffle=2)).eval()
    faces = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        made = network(faces, network.bind(faces, torch.rand(1, 128)))
    torch.testing.assert_close(made[..., ::2, ::2], made[..., 1::2, 1::2])


def test_faces_that_mesh_swaps_are_larger_and_are_scaled_down_with_their_landmarks() -> None:
    (spec,) = SPECS
    assert spec.faces_px(one_shot_arguments("faceshifter")) == 64
    assert spec.faces_px(one_shot_arguments("faceshifter", variant="assisted")) == 128
    assert spec.faces_px(one_shot_arguments("faceshifter", teacher="mesh")) == 128
    large = small_crowd(3, 128)
    small = large.at(64)
    assert small.pictures.shape == (3, 64, 64, 3)
    assert small.masks.shape == (3, 64, 64)
    np.testing.assert_allclose(small.points[..., :2] + 0.5, (large.points[..., :2] + 0.5) / 2, atol=1e-3)
    assert large.at(128) is large
