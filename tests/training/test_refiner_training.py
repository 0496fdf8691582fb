"""The refiner recipe: pairs have the right truth, losses fall, and the exports match the networks."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")
pytest.importorskip("onnx", reason="onnx is not installed: it is needed to export the generator")

import onnx
import torch

import rtswap
from rtswap.core.errors import UsageError
from rtswap.swappers.refiner.crop_view import ZERO
from rtswap.training.identity import sampled
from rtswap.training.lights import badly_lit
from rtswap.training.onnx_files import run
from rtswap.training.recipe import Moment
from rtswap.training.shards import making
from rtswap.training.trainer import Trainer
from training.landmarks.views import Views
from training.refiner.augment import augmented
from training.refiner.export import encoder_graph, generator_graph, load_network, worst_levels
from training.refiner.losses import WEIGHTS, cross_terms, kept_term, psnr, refined, true_terms
from training.refiner.network import MOST, STYLE, DeployedEncoder, DeployedGenerator, Made, Refiner
from training.refiner.pairs import FIELDS, SHARD, Pairs, load, prepare
from training.refiner.pool import Arriving, Batch, Pool
from training.refiner.recipe import RefinerRecipe
from training.refiner.watchers import Watchers

ASSETS = Path(rtswap.__file__).parent / "assets"


def recipe(rate: float = 5e-4, people: torch.Tensor | None = None, **given: object) -> RefinerRecipe:
    """A recipe on the processor, one pair of each kind per step, with the networks that ship."""
    argv = ["--minutes", "1", "--faces", "none", "--out", "none", "--teacher", "none", "--rate", str(rate)]
    args = RefinerRecipe.parser().parse_args([*argv, "--true", "1", "--cross", "1", "--shards", "1"])
    args.device, args.half = "cpu", False
    vars(args).update(given)
    people = torch.zeros(3, 128) if people is None else people
    return RefinerRecipe(args, people, people)


def nothing(batch: Batch) -> Made:
    return Made(torch.zeros_like(batch.target), torch.full_like(batch.mask, 9.0), torch.zeros(len(batch), 1))


def test_pairs_are_made_once_and_found_again(views: Views, tmp_path: Path) -> None:
    prepare(views, tmp_path, [0], 1, count=6)
    first = load(tmp_path)
    kept = (tmp_path / "0000.npz").stat().st_mtime_ns
    prepare(views, tmp_path, range(2), 1, count=6)
    again = load(tmp_path)
    assert (tmp_path / "0000.npz").stat().st_mtime_ns == kept
    assert (len(first), len(again)) == (6, 12)
    for name in FIELDS:
        assert np.array_equal(getattr(first, name), getattr(again, name)[:6]), name


def test_truth_shows_the_source_inside_and_the_occluders_outside(pairs: Pairs) -> None:
    assert (pairs.source == pairs.goal)[pairs.known_truth].all()
    assert pairs.known_truth.any()
    clear = (pairs.mask == 0) & (pairs.visible == 255)
    told = np.abs(pairs.truth.astype(int) - pairs.target)[clear].mean(1)
    assert np.median(told) == 0
    untouched = pairs.mask == 0
    assert np.array_equal(pairs.composite[untouched], pairs.target[untouched])
    assert 0.1 < (pairs.mask > 200).mean() < 0.5
    assert (pairs.visible == 255).mean() > 0.7


def test_half_of_the_targets_show_another_face_on_the_truth(pairs: Pairs) -> None:
    """Beside those that are the truth itself, there or behind what hides it."""
    inside = (pairs.mask > 200) & (pairs.visible == 255)
    off = [float(np.abs(pairs.truth[k].astype(int) - pairs.target[k])[inside[k]].mean()) for k in range(len(pairs))]
    turned = (np.array(off) > 3)[pairs.known_truth]
    assert 0.4 < turned.mean() < 0.8
    assert not (np.array(off) > 3)[~pairs.known_truth].any()


def test_bad_light_changes_the_face_and_keeps_its_place(views: Views) -> None:
    for seed in range(6):
        lit = badly_lit(views.images[0], views.meshes[0], np.random.default_rng(seed))
        assert lit.shape == views.images[0].shape
        assert lit.dtype == np.uint8
        assert np.abs(lit.astype(int) - views.images[0]).mean() > 1


def test_the_truth_costs_nothing_and_doing_nothing_costs(batch: Batch) -> None:
    known = batch.part(batch.known_truth.nonzero()[:, 0])
    given = refined(known, nothing(known))
    perfect = true_terms(given._replace(picture=known.truth), known)
    assert all(float(value) < 1e-3 for value in perfect.values())
    assert all(float(value) > 0.01 for value in true_terms(given, known).values())
    assert psnr(known.truth, known.truth, known.mask).min() > 60


def test_what_hides_the_face_is_not_learnt_as_skin(batch: Batch) -> None:
    known = batch.part(batch.known_truth.nonzero()[:, 0])
    covered = replace(known, visible=torch.zeros_like(known.visible))
    assert float(true_terms(refined(known, nothing(known)), covered)["colour"]) < 1e-3
    assert float(kept_term(refined(known, nothing(known)), covered)["kept"]) > 1


def test_a_face_taken_for_hidden_costs_more_than_the_other_way_round(batch: Batch) -> None:
    def cost(visible: float, kept: float) -> float:
        given = replace(batch, visible=torch.full_like(batch.visible, visible))
        made = nothing(batch)._replace(kept=torch.full_like(batch.mask, kept))
        return float(kept_term(refined(given, made), given)["kept"])

    assert cost(1.0, -3.0) > 2 * cost(0.0, 3.0) > 0


def test_cross_pairs_keep_everything_except_outliers(batch: Batch) -> None:
    cross = batch.part((~batch.known_truth).nonzero()[:, 0])
    calm = cross_terms(refined(cross, nothing(cross)), cross)
    assert float(calm["detail"]) == float(calm["calm"]) == 0
    noisy = nothing(cross)._replace(residual=0.1 * torch.randn_like(cross.target))
    assert float(cross_terms(refined(cross, noisy), cross)["detail"]) > 0.01


def test_a_crop_is_the_one_that_opencv_cuts(batch: Batch) -> None:
    picture = ((batch.target[0].permute(1, 2, 0) + 1) * 127.5).numpy()
    found = (sampled(batch.target[:1], batch.known[:1], 96)[0].permute(1, 2, 0) + 1) * 127.5
    wanted = cv2.warpAffine(picture, batch.known[0].numpy(), (96, 96), borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(found.numpy() - wanted).mean() < 0.5


def test_a_pool_gives_what_was_put_in_and_takes_more_until_it_is_full(pairs: Pairs) -> None:
    pool = Pool(len(pairs) + 5, "cpu")
    pool.add(pairs)
    pool.add(pairs)
    assert pool.count == len(pairs) + 5
    batch = pool.batch(torch.arange(pool.count))
    first, last = ((batch.target[row].permute(1, 2, 0) + 1) * 127.5 for row in (3, len(pairs) + 3))
    assert torch.equal(first, last)
    assert np.array_equal(first.round().numpy(), pairs.target[3])
    torch.manual_seed(0)
    drawn = pool.draw(20, 20)
    assert drawn.known_truth.tolist() == [True] * 20 + [False] * 20


def test_pairs_come_while_they_are_learnt_from(views: Views, tmp_path: Path) -> None:
    pool = Pool(3 * SHARD, "cpu")
    arriving = Arriving(tmp_path, pool)
    with making([partial(prepare, views, tmp_path, range(9), 1)], {tmp_path: 1}), arriving.taking():
        until = time.monotonic() + 60
        while pool.count < 2 * SHARD and time.monotonic() < until:
            time.sleep(0.1)
    assert pool.count in (2 * SHARD, 3 * SHARD)
    assert len(list(tmp_path.glob("*.npz"))) < 9


@pytest.mark.parametrize(("size", "budget"), [(128, 0.6e9), (256, 4e9)])
def test_the_difference_is_bounded_and_the_budget_kept(size: int, budget: float) -> None:
    torch.manual_seed(0)
    one = Refiner(size).eval()
    macs = 0

    def count(layer: torch.nn.Module, _: object, out: torch.Tensor) -> None:
        nonlocal macs
        if isinstance(layer, torch.nn.Conv2d):
            macs += layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1] * out[0].numel()

    for layer in one.generator.modules():
        layer.register_forward_hook(count)
    picture = 40 * torch.randn(1, 3, size, size)
    made = one.generator(picture, picture, picture, picture[:, :1], 30 * torch.randn(1, STYLE))
    assert made.residual.abs().max() <= MOST
    assert made.residual.shape == picture.shape
    assert made.kept.shape == picture[:, :1].shape
    assert macs < budget


def test_the_finer_generator_begins_as_the_coarser_one_and_leaves_it_alone(pairs: Pairs) -> None:
    torch.manual_seed(0)
    made = recipe(1e-2, size=256)
    for network in (made.network, made.shadow):
        torch.nn.init.normal_(network.generator.coarse.leave.last.weight, std=0.1, generator=torch.manual_seed(1))
    pool = Pool.of(pairs, "cpu")
    small, photo = pool.batch(torch.arange(2)), pool.batch(torch.arange(2)).photo
    large = [torch.nn.functional.interpolate(one, scale_factor=2.0) for one in small.given[:4]]
    before = [value.clone() for value in made.network.generator.coarse.state_dict().values()]
    with torch.no_grad():
        coarse = made.network.generator.coarse(*small.given[:4], made.network.eval().encoder(photo))
        fine = made.network(*large, photo)
    assert fine.residual.abs().max() > 0.01
    for a, b in ((fine.residual, coarse.residual), (fine.kept, coarse.kept)):
        wanted = torch.nn.functional.interpolate(b, scale_factor=2.0, mode="bilinear")
        assert torch.allclose(a, wanted, atol=1e-4)
    made.network.train()(*large, photo).residual.square().mean().backward()
    made.optimiser.step()
    after = made.network.generator.coarse.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    with torch.no_grad():
        assert not torch.equal(made.network.eval()(*large, photo).residual, fine.residual)


def test_a_few_steps_with_every_term_change_the_networks_and_go_on_from_a_checkpoint(
    pairs: Pairs, views: Views, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    watchers = Watchers(ASSETS / "recognition.onnx", ASSETS / "landmarks.onnx", "cpu")
    people = watchers.people(views)
    assert people.shape == (3, 128)
    made, pool = recipe(people=people), Pool.of(pairs, "cpu")
    before = {name: value.clone() for name, value in made.network.state_dict().items()}
    batches, terms = (augmented(pool.draw(1, 1)) for _ in range(2)), {}
    for share in (0.1, 0.5):
        terms |= made.step(batches, Moment(0, share, 5e-6))
    assert set(WEIGHTS) | {"told_apart"} == set(terms)
    assert all(torch.isfinite(value) for value in terms.values())
    assert any(not torch.equal(value, before[name]) for name, value in made.network.state_dict().items())
    trainer = Trainer(made, tmp_path, minutes=1)
    trainer.progress.step = 2
    trainer.save()
    other = Trainer(recipe(), tmp_path, minutes=1)
    other.load()
    assert other.progress.step == 2
    for name, part in made.networks.items():
        again = other.recipe.networks[name].state_dict()
        assert all(torch.equal(value, again[key]) for key, value in part.state_dict().items()), name
    with pytest.raises(UsageError, match="refiner-128, not of refiner-256"):
        Trainer(recipe(size=256), tmp_path, minutes=1).load()


def test_a_recogniser_that_sees_half_of_the_pairs_says_the_same(pairs: Pairs, views: Views) -> None:
    torch.manual_seed(0)
    people = Watchers(ASSETS / "recognition.onnx", ASSETS / "landmarks.onnx", "cpu").people(views)
    batch = Pool.of(pairs, "cpu").draw(8, 8)
    told = []
    for watched in (1, 2):
        made = recipe(people=people, true=8, cross=8, watched=watched)
        with torch.no_grad():
            told.append(made.losses(batch))
    for name in ("identity", "keep"):
        assert abs(float(told[0][name] - told[1][name])) < 0.15
    assert float(told[0]["colour"]) > 0
    assert float(told[1]["keep"]) > 0, "of the half, too, some are of two people"


@pytest.mark.parametrize("size", [128, 256])
def test_the_exported_files_say_what_torch_says(size: int) -> None:
    torch.manual_seed(0)
    one = Refiner(size).eval()
    for block in one.modules():  # fresh blocks change nothing: let these
        if isinstance(block, torch.nn.BatchNorm2d) and block.affine:
            torch.nn.init.uniform_(block.weight, 0.5, 1)
    torch.nn.init.normal_(one.encoder.style.weight, std=0.1)
    torch.nn.init.normal_(one.generator.leave.last.weight, std=0.1)
    generator, encoder = generator_graph(one), encoder_graph(one)
    assert worst_levels(generator, encoder, one) <= 2
    grey, mask = np.full((1, size, size, 3), 90, np.uint8), np.full((1, size, size), 255, np.uint8)
    given = {
        "composite": grey,
        "lowered": grey,
        "target": grey,
        "mask": mask,
        "style": np.zeros((1, STYLE), np.float32),
    }
    with torch.no_grad():
        wanted = DeployedGenerator(one.generator)(*map(torch.from_numpy, given.values()))
    (found,) = run(generator, **given)
    assert found.shape == (1, size, size, 4)
    assert np.abs(found - wanted.numpy()).max() <= 2
    assert np.ptp(found[..., :3]) > 4
    assert np.abs(found[..., :3] - ZERO).max() <= 77
    assert found[..., 3].min() >= 0
    assert found[..., 3].max() <= 255


@pytest.mark.parametrize("size", [128, 256])
def test_a_training_begins_from_what_ships_and_two_can_be_averaged(views: Views, size: int, tmp_path: Path) -> None:
    prepare(views, tmp_path, [0], 1, size=size, count=8)
    made, pool = recipe(size=size, begin_from=ASSETS), Pool.of(load(tmp_path), "cpu")
    torch.manual_seed(0)
    made.prepare(augmented(pool.draw(16, 8)) for _ in range(8))
    batch = pool.draw(2, 2)
    names = "composite", "lowered", "target", "photo"
    given = {name: ((getattr(batch, name).permute(0, 2, 3, 1) + 1) * 127.5).round().to(torch.uint8) for name in names}
    photo = given.pop("photo")
    given["mask"] = (batch.mask[:, 0] * 255).round().to(torch.uint8)
    with torch.no_grad():
        style = DeployedEncoder(made.network.eval().encoder)(photo)
        wanted = DeployedGenerator(made.network.generator)(*given.values(), style)
    files = [onnx.load(str(ASSETS / name)) for name in ("refiner-128-source.onnx", f"refiner-{size}.onnx")]
    (told,) = run(files[0], photo=photo.numpy())
    (found,) = run(files[1], **{name: value.numpy() for name, value in given.items()}, style=told)
    assert np.abs(found - wanted.numpy()).max() <= 2
    other = recipe(size=size)
    for name, one in (("a", made), ("b", other)):
        torch.save({"shadow": one.shadow.state_dict()}, tmp_path / f"{name}.pt")
    mean = load_network(tmp_path / "a.pt", tmp_path / "b.pt", size).generator.leave.last.weight
    both = [one.shadow.generator.leave.last.weight for one in (made, other)]
    assert torch.allclose(mean, (both[0] + both[1]) / 2)
