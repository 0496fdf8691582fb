"""FSLSD and MegaFS: what a swap takes from whom, the phases of a training, held-out figures, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: it draws the curves of a training")

import torch
from short_trainings import Seconds
from small_crowd import small_crowd
from small_recipes import one_shot_arguments
from torch import Tensor
from torch.nn import functional

from rtswap.core.errors import ModelError, UsageError
from rtswap.networks.system_file import read_system
from rtswap.training.layers import to_input
from rtswap.training.recipe import Moment
from rtswap.training.recipes.fslsd.network import BindGraph, FrameGraph, Fslsd
from rtswap.training.recipes.fslsd.recipe import FslsdRecipe
from rtswap.training.recipes.megafs.network import Megafs
from rtswap.training.recipes.megafs.recipe import MegafsRecipe
from rtswap.training.recipes.style_prior.network import Dims
from rtswap.training.recipes.style_prior.points import outline
from rtswap.training.recipes.style_prior.recipe import PRIOR_UNTIL, Phases, dims_of
from rtswap.training.system_file import write_system
from rtswap.training.trainer import CHECKPOINT, Trainer

CROWD = small_crowd(40)
USUAL = Dims.small(64)
TINY = replace(
    USUAL,
    style=64,
    widths=(96, 96, 64, 32, 24),
    encoder=replace(USUAL.encoder, stem=32, stages=(48, 64, 96), head=48),
)
CASES = [(FslsdRecipe, {"steady": True}), (MegafsRecipe, {})]


def faces(count: int) -> tuple[Tensor, Tensor]:
    """-1..1, and their landmarks."""
    return to_input(torch.from_numpy(CROWD.pictures[:count])), torch.from_numpy(CROWD.points[:count])


def test_without_a_mask_nothing_comes_from_the_source() -> None:
    torch.manual_seed(0)
    network = Fslsd(Dims.small(64), 5)
    pictures, points = faces(2)
    photo = pictures[:1].clone().requires_grad_(True)
    structure = network.prior.encode(photo)[:, :5] + network.direction(
        *map(network.shape_of, (points[:1], points[1:]))
    )
    rows = network.mixed(structure, network.prior.encode(pictures[1:]))
    for mask, reaches in ((torch.zeros(1, 1, 64, 64), False), (outline(points[1:], 64), True)):
        made = network.make(pictures[1:], rows, mask)
        (slope,) = torch.autograd.grad(made.face.square().sum(), photo, retain_graph=True)
        assert bool(slope.any()) == reaches


def test_each_row_comes_from_whom_it_should() -> None:
    torch.manual_seed(0)
    network = Fslsd(Dims.small(64), 5)
    pictures, points = faces(2)
    with torch.no_grad():
        target = network.prior.encode(pictures[1:])
        one = network(pictures[:1], points[:1], pictures[1:], points[1:])
        other = network(pictures[:1].flip(3) * 0.5, points[:1], pictures[1:], points[1:])
        assert torch.equal(one.rows[:, 5:], target[:, 5:])
        assert torch.equal(other.rows[:, 5:], target[:, 5:])
        assert not torch.allclose(one.rows[:, :5], other.rows[:, :5])
        own = network(pictures[1:], points[1:], pictures[1:], points[1:])
        torch.testing.assert_close(own.rows, target)
        torch.testing.assert_close(own.side, network.prior(pictures[1:]))
        shape = network.shape_of(points[:1])
        assert not network.direction(shape, shape).any(), "the same landmarks: no direction"
        assert network.direction(shape, network.shape_of(points[1:])).any()
        transfer = Megafs(Dims.small(64), 2)
        source = transfer.prior.encode(pictures[:1])[:, 2:]
        assert torch.equal(transfer.mixed(source, target)[:, :2], target[:, :2])
        assert not torch.allclose(transfer.mixed(source, target)[:, 2:], target[:, 2:])


def test_bound_is_unbound() -> None:
    torch.manual_seed(0)
    network = Fslsd(Dims.small(64), 5).eval()
    pictures, points = faces(2)
    stored = torch.from_numpy(CROWD.pictures[:2])
    with torch.no_grad():
        whole = network(pictures[:1], points[:1], pictures[1:], points[1:]).face
        bound = BindGraph(network)(stored[:1], points[:1])
        swapped = FrameGraph(network)(stored[1:], points[1:], *bound)
    wanted = ((whole.permute(0, 2, 3, 1) + 1) * 127.5).clamp(0, 255)
    torch.testing.assert_close(swapped, wanted, atol=1e-3, rtol=0)


def test_two_faces_are_learnt_by_heart_and_an_empty_mask_gives_the_target() -> None:
    torch.manual_seed(0)
    network = Fslsd(TINY, 5)
    _, points = faces(2)
    pictures = functional.interpolate(torch.rand(2, 3, 6, 6) * 1.6 - 0.8, 64, mode="bilinear")
    optimiser = torch.optim.Adam(network.parameters(), 1.5e-3, (0.9, 0.99))
    masks = torch.cat([outline(points, 64)[:1], torch.zeros(1, 1, 64, 64)])
    for step in range(150):
        optimiser.param_groups[0]["lr"] = 1.5e-3 * min(1, (step + 1) / 10) * (1 - step / 150)
        made = network.make(pictures, network.prior.encode(pictures), masks)
        off = torch.stack([made.face - pictures, made.side - pictures])
        optimiser.zero_grad()
        (off.square().mean() + 0.1 * off.abs().mean()).backward()
        optimiser.step()
    errors = off.detach().square().flatten(2).mean(2) / 4
    assert float(-10 * torch.log10(errors.max())) > 30


def test_the_phases_follow_one_another_once() -> None:
    phases = Phases(PRIOR_UNTIL)
    assert not phases.begins(PRIOR_UNTIL - 0.01)
    assert phases.rate(PRIOR_UNTIL - 0.01) < 0.1
    assert phases.begins(PRIOR_UNTIL)
    assert not phases.begins(PRIOR_UNTIL + 0.1)
    assert phases.rate(PRIOR_UNTIL) == 1
    again = Phases(PRIOR_UNTIL)
    again.load_state_dict(phases.state_dict())
    assert not again.begins(0.1)
    assert again.swapping, "a training that was made longer does not go back to the prior"


@pytest.mark.parametrize(("recipe_class", "options"), CASES, ids=["fslsd", "megafs"])
def test_each_phase_teaches_its_own_networks(recipe_class: Any, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    recipe = recipe_class(one_shot_arguments(recipe_class.name, **options), CROWD)
    with recipe.batches(0) as batches:
        for share, learns_prior, watched in ((0.1, True, False), (0.55, True, True), (0.95, False, True)):
            before = {name: value.clone() for name, value in recipe.network.state_dict().items()}
            if share > PRIOR_UNTIL:
                before |= {f"prior.{k}": v.clone() for k, v in recipe.shadow.prior.state_dict().items()}
            terms = recipe.step(batches, Moment(0, share, 1e-3))
            assert set(terms) <= {*recipe.weights, "critic"}
            assert all(torch.isfinite(one) for one in terms.values())
            assert ({"fooled", "critic"} <= terms.keys()) == watched
            moved = {name.split(".")[0] for name, value in recipe.network.state_dict().items()
                     if not torch.equal(value, before[name])}  # fmt: skip
            assert moved == (
                {"prior"} if learns_prior else {"target", "decoder", "direction"} & moved or {"transfer"}
            )
            assert ("unsteady" in terms) == (bool(options) and not learns_prior)


def test_a_prior_is_taken_from_the_other_systems_training(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = MegafsRecipe(one_shot_arguments("megafs"), CROWD)
    Trainer(first, tmp_path, minutes=1, clock=Seconds()).save()
    path = str(tmp_path / CHECKPOINT)
    second = FslsdRecipe(one_shot_arguments("fslsd", prior=path), CROWD)
    for name, value in first.shadow.prior.state_dict().items():
        assert torch.equal(second.network.prior.state_dict()[name], value)
        assert torch.equal(second.shadow.prior.state_dict()[name], value)
    assert second.phases.begins(0.0)
    with pytest.raises(UsageError, match="another prior"):
        FslsdRecipe(one_shot_arguments("fslsd", prior=path, resolution=128), small_crowd(20, 128))
    (tmp_path / "none.pt").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"Give a checkpoint\.pt of fslsd or megafs"):
        FslsdRecipe(one_shot_arguments("fslsd", prior=str(tmp_path / "none.pt")), CROWD)


@pytest.mark.parametrize(
    "strange",
    [
        lambda like: like.to_sparse(),
        lambda like: like.to("meta"),
        lambda like: like[..., None],
        lambda like: {},
    ],
    ids=["sparse", "empty", "another shape", "no tensor"],
)
def test_a_prior_with_strange_weights_is_refused_in_one_line(
    strange: Callable[[Tensor], object], tmp_path: Path
) -> None:
    weights = Megafs(Dims.small(64), 2).prior.state_dict()
    weights["generator.first.conv.weight"] = strange(weights["generator.first.conv.weight"])
    torch.save({"shadow": {f"prior.{name}": value for name, value in weights.items()}}, tmp_path / CHECKPOINT)
    with pytest.raises(UsageError, match=r"\A[^\n]* holds another prior[^\n]*\Z"):
        FslsdRecipe(one_shot_arguments("fslsd", prior=str(tmp_path / CHECKPOINT)), CROWD)


@pytest.mark.parametrize("layout_and_side", [("small", 96), ("small", 512), ("full", 2048)])
def test_sides_that_do_not_fit_are_refused_in_one_line(layout_and_side: tuple[str, int]) -> None:
    layout, side = layout_and_side
    with pytest.raises(UsageError, match=f"unsupported --resolution {side}"):
        dims_of(layout, side, "fslsd")


@pytest.mark.parametrize(
    ("recipe_class", "options"),
    [(FslsdRecipe, {"structure": 10}), (MegafsRecipe, {"kept": 12})],
    ids=["fslsd", "megafs"],
)
def test_a_split_that_leaves_nothing_is_refused_in_one_line(recipe_class: Any, options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="leaves no rows"):
        recipe_class(one_shot_arguments(recipe_class.name, **options), CROWD)


@pytest.mark.parametrize(("recipe_class", "options"), CASES, ids=["fslsd", "megafs"])
def test_a_short_training_improves_held_out_faces_and_its_file_is_read(
    recipe_class: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    recipe = recipe_class(one_shot_arguments(recipe_class.name, **options), CROWD)
    Trainer(recipe, tmp_path, minutes=30 / 60, clock=Seconds()).run()
    tried = [row for row in json.loads((tmp_path / "history.json").read_text()) if "inversion_psnr" in row]
    assert tried[-1]["inversion_psnr"] > tried[0]["inversion_psnr"] + 2
    assert {"source", "target", "landmarks_off"} <= tried[-1].keys()
    assert recipe.phases.swapping
    path = tmp_path / f"{recipe.name}.rtswap"
    assert write_system(recipe.graphs(), path, system=recipe.name, template="whole") < 1e-3
    found = read_system(path, tmp_path)
    assert list(found.graphs) == ["frame", "bind"]
    assert found.system == recipe.name
    ports = {port.name: port.shape for port in found.graphs["frame"].inputs}
    assert ports["face"] == (1, 64, 64, 3)
    assert {port.name for port in found.graphs["bind"].outputs} == set(ports) - {"face", "points"}
    assert np.prod(found.graphs["frame"].outputs[0].shape) == 64 * 64 * 3


def test_a_transfer_begins_between_both_faces() -> None:
    """Gates that are open, shares that are equal: the mean of both, as the cells' leaky ReLU leaves it."""
    network = Megafs(Dims.small(64), 2).transfer
    for cell in network.cells:
        for gate in cell.shifts:
            torch.nn.init.zeros_(gate.second.weight)
    with torch.no_grad():
        source, target = torch.full((1, 8, 128), 0.5), torch.full((1, 8, 128), 1.0)
        found = network(source, target)
    assert 0.6 < float(found.mean()) < functional.leaky_relu(torch.tensor(0.75)).item() + 0.01
