"""The refiner recipe: pairs have the right truth, losses fall, and the exports match the networks."""

from __future__ import annotations

import signal
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
from rtswap.core.interrupts import ENDING
from rtswap.swappers.refiner.crop_view import CELLS, MOST, SIZE, draw_gains
from rtswap.training.identity import sample
from rtswap.training.lights import badly_lit
from rtswap.training.onnx_files import difference, run, to_onnx
from rtswap.training.recipe import Moment
from rtswap.training.shards import making
from rtswap.training.trainer import Trainer
from training.landmarks.views import Views
from training.refiner.augmentation import augment
from training.refiner.export import EXPORT
from training.refiner.losses import WEIGHTS, Seen, psnr, refine, see, step, terms, unevenness
from training.refiner.network import Deployed, Refiner
from training.refiner.pairs import FIELDS, SHARD, Pairs, load, prepare
from training.refiner.pool import Arriving, Batch, Pool
from training.refiner.recipe import RefinerRecipe
from training.refiner.watchers import Watcher

ASSETS = Path(rtswap.__file__).parent / "assets"


def recipe(rate: float = 5e-4, people: torch.Tensor | None = None, **given: object) -> RefinerRecipe:
    """A recipe on the processor, one pair of each kind per step, with the recogniser that ships."""
    argv = ["--minutes", "1", "--faces", "none", "--out", "none", "--teacher", "none", "--rate", str(rate)]
    args = RefinerRecipe.parser().parse_args(
        [*argv, "--true", "1", "--cross", "1", "--shards", "1", "--watched", "1"]
    )
    args.device, args.half = "cpu", False
    vars(args).update(given)
    people = torch.zeros(3, 128) if people is None else people
    return RefinerRecipe(args, people, people)


def nothing(batch: Batch) -> torch.Tensor:
    return torch.zeros(len(batch), 3, CELLS, CELLS)


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


def halved(pictures: np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(one, (SIZE // 2, SIZE // 2), interpolation=cv2.INTER_AREA) for one in pictures])


def test_truth_shows_the_source_inside_and_the_occluders_outside(pairs: Pairs) -> None:
    assert (pairs.source == pairs.goal)[pairs.known_truth].all()
    assert pairs.known_truth.any()
    mask, composite = halved(pairs.mask), halved(pairs.composite)
    told = np.abs(pairs.truth.astype(int) - composite)[(mask == 0) & (pairs.visible == 255)].mean(1)
    assert np.median(told) == 0
    assert 0.1 < (mask > 200).mean() < 0.5
    assert (pairs.visible == 255).mean() > 0.7
    assert 0.1 < (pairs.skin == 255).mean() < 0.5
    assert (pairs.skin[mask > 200] > 0).mean() > 0.6


def test_bad_light_changes_the_face_and_keeps_its_place(views: Views) -> None:
    for seed in range(6):
        lit = badly_lit(views.images[0], views.meshes[0], np.random.default_rng(seed))
        assert lit.shape == views.images[0].shape
        assert lit.dtype == np.uint8
        assert np.abs(lit.astype(int) - views.images[0]).mean() > 1


def test_gains_are_put_on_as_the_swapper_draws_them(batch: Batch) -> None:
    torch.manual_seed(0)
    logs = torch.nn.functional.interpolate(0.3 * torch.randn(1, 3, 6, 6), (CELLS, CELLS), mode="bicubic")
    picture = np.random.default_rng(0).integers(0, 150, (SIZE, SIZE, 3), np.uint8)
    given = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    found = ((refine(given, torch.ones(1, 1, SIZE, SIZE), logs)[0].permute(1, 2, 0) + 1) * 127.5).numpy()
    draw_gains(picture, torch.exp(logs)[0].permute(1, 2, 0).numpy(), np.eye(2, 3, dtype=np.float32))
    off = np.abs(found.clip(0, 255) - picture)
    assert off.mean() < 0.5
    assert off.max() < 4, "where gains bend between two nodes"


def test_the_truth_costs_nothing_and_doing_nothing_costs(batch: Batch) -> None:
    known = batch.part(batch.known_truth.nonzero()[:, 0])
    given = see(known, nothing(known))
    perfect = terms(given._replace(tones=given.truth), nothing(known))
    assert all(float(perfect[name]) < 1e-3 for name in ("colour", "light", "seam"))
    asked = terms(given, nothing(known))
    assert all(float(asked[name]) > 0.01 for name in ("colour", "light"))
    assert psnr(given.truth, given.truth, given.mask).min() > 60


def test_what_hides_the_face_is_not_learnt_as_skin(batch: Batch) -> None:
    covered = replace(batch, visible=torch.zeros_like(batch.visible))
    view = see(covered, nothing(batch))
    found = terms(view, nothing(batch))
    assert all(float(found[name]) < 2e-3 for name in ("colour", "seam", "chroma", "shade"))


def test_a_face_that_was_damaged_is_to_be_as_before_where_no_truth_is_known(batch: Batch) -> None:
    cross = batch.part((~batch.known_truth).nonzero()[:, 0])
    assert float(terms(see(cross, nothing(cross)), nothing(cross))["colour"]) < 1e-6
    hurt = replace(cross, composite=0.7 * cross.composite - 0.3)
    assert float(terms(see(hurt, nothing(cross)), nothing(cross))["colour"]) > 0.01
    calm = terms(see(cross, 0.2 + nothing(cross)), 0.2 + nothing(cross))
    assert float(calm["calm"]) == pytest.approx(0.2, rel=1e-3)
    assert float(calm["smooth"]) == 0


def plain(batch: Batch, inside: float) -> Seen:
    """All grey, but for a swap that is lighter."""
    mask = torch.zeros_like(batch.visible)
    mask[:, :, 16:48, 16:48] = 1
    grey = torch.zeros_like(batch.truth)
    clear = replace(batch, visible=torch.ones_like(mask), skin=torch.ones_like(mask))
    return Seen(grey + inside * mask * torch.tensor([1.0, 0, 0])[:, None, None], grey, grey, mask, clear)


def test_a_step_at_the_seam_costs_and_an_even_face_is_even(batch: Batch) -> None:
    even, lighter = plain(batch, 0.0), plain(batch, 0.2)
    assert step(even).max() < 1e-3
    assert step(lighter).min() > 0.01
    assert step(lighter._replace(truth=lighter.tones)).max() < 1e-3, "the truth has one as well"
    for view in (even, lighter):
        assert max(part.max() for part in unevenness(view.tones, view)) < 0.011
    spots = torch.randn(len(batch), 3, CELLS, CELLS).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert min(part.min() for part in unevenness(0.1 * spots, even)) > 0.05


def test_a_crop_is_the_one_that_opencv_cuts(batch: Batch) -> None:
    picture = ((batch.lowered[0].permute(1, 2, 0) + 1) * 127.5).numpy()
    found = (sample(batch.lowered[:1], batch.known[:1], 96)[0].permute(1, 2, 0) + 1) * 127.5
    wanted = cv2.warpAffine(picture, batch.known[0].numpy(), (96, 96), borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(found.numpy() - wanted).mean() < 0.5


def test_a_pool_gives_what_was_put_in_and_takes_more_until_it_is_full(pairs: Pairs) -> None:
    pool = Pool(len(pairs) + 5, "cpu")
    pool.add(pairs)
    pool.add(pairs)
    assert pool.count == len(pairs) + 5
    batch = pool.batch(torch.arange(pool.count))
    first, last = ((batch.lowered[row].permute(1, 2, 0) + 1) * 127.5 for row in (3, len(pairs) + 3))
    assert torch.equal(first, last)
    assert np.array_equal(first.round().numpy(), pairs.lowered[3])
    torch.manual_seed(0)
    drawn = pool.draw(20, 20)
    assert drawn.known_truth.tolist() == [True] * 20 + [False] * 20


@pytest.mark.timeout(400)  # two processes make pairs, each with torch to load
def test_pairs_come_while_they_are_learnt_from(views: Views, tmp_path: Path) -> None:
    pool = Pool(3 * SHARD, "cpu")
    arriving = Arriving(tmp_path, pool)
    with making([partial(prepare, views, tmp_path, range(9), 1)], {tmp_path: 1}), arriving.taking():
        until = time.monotonic() + 60
        while pool.count < 2 * SHARD and time.monotonic() < until:
            time.sleep(0.1)
    assert pool.count in (2 * SHARD, 3 * SHARD)
    assert len(list(tmp_path.glob("*.npz"))) < 9


def test_a_maker_that_is_stopped_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Signals raise KeyboardInterrupt in the command; its processes printed a traceback at Ctrl-C, and at the end."""

    def make() -> None:
        (tmp_path / "0000.npz").touch()
        time.sleep(60)

    handlers = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    try:
        with making([make], {tmp_path: 1}):
            pass
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert capfd.readouterr().err == ""


def test_gains_are_bounded_and_the_budget_kept() -> None:
    torch.manual_seed(0)
    one = Refiner().eval()
    torch.nn.init.normal_(one.leave.weight)
    macs = 0

    def count(layer: torch.nn.Module, _: object, out: torch.Tensor) -> None:
        nonlocal macs
        if isinstance(layer, torch.nn.Conv2d):
            macs += layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1] * out[0].numel()

    for layer in one.modules():
        layer.register_forward_hook(count)
    picture = 40 * torch.randn(1, 3, SIZE, SIZE)
    logs = one(picture, picture, picture[:, :1])
    assert logs.shape == (1, 3, CELLS, CELLS)
    assert 0.1 < logs.abs().max() <= MOST
    assert macs < 0.25e9


def test_an_untrained_network_changes_nothing(batch: Batch) -> None:
    assert torch.equal(Refiner()(*batch.given), nothing(batch))


def test_a_few_steps_with_every_term_change_the_networks_and_go_on_from_a_checkpoint(
    pairs: Pairs, views: Views, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    people = Watcher("cpu").people(views)
    assert people.shape == (3, 128)
    made, pool = recipe(people=people), Pool.of(pairs, "cpu")
    before = {name: value.clone() for name, value in made.network.state_dict().items()}
    batches, found = (augment(pool.draw(1, 1)) for _ in range(2)), {}
    for share in (0.1, 0.5):
        found |= made.step(batches, Moment(0, share, 5e-6))
    assert set(WEIGHTS) == set(found)
    assert all(torch.isfinite(value) for value in found.values())
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


def test_a_recogniser_that_sees_half_of_the_pairs_says_the_same(pairs: Pairs, views: Views) -> None:
    torch.manual_seed(0)
    people = Watcher("cpu").people(views)
    batch = Pool.of(pairs, "cpu").draw(8, 8)
    told = []
    for watched in (1, 2):
        made = recipe(people=people, true=8, cross=8, watched=watched)
        with torch.no_grad():
            told.append(made.losses(batch))
    assert abs(float(told[0]["identity"] - told[1]["identity"])) < 0.15
    assert float(told[0]["colour"]) > 0


def test_the_exported_file_says_what_torch_says() -> None:
    torch.manual_seed(0)
    one = Refiner().eval()
    torch.nn.init.normal_(one.leave.weight, std=0.1)
    deployed = Deployed(one).eval()
    model = to_onnx(EXPORT, deployed)
    assert difference(EXPORT, model, deployed) < EXPORT.most
    grey, mask = np.full((2, SIZE, SIZE, 3), 90, np.uint8), np.full((2, SIZE, SIZE), 255, np.uint8)
    (found,) = run(model, **dict(zip(EXPORT.inputs, (grey, grey, mask), strict=True)))
    assert found.shape == (2, CELLS, CELLS, 3)
    assert np.ptp(found) > 0.01
    assert np.abs(np.log(found)).max() <= MOST + 1e-6


def test_a_training_begins_from_what_ships(views: Views, tmp_path: Path) -> None:
    prepare(views, tmp_path, [0], 1, count=8)
    made, pool = recipe(begin_from=ASSETS / "refiner.onnx"), Pool.of(load(tmp_path), "cpu")
    torch.manual_seed(0)
    made.prepare(augment(pool.draw(16, 8)) for _ in range(8))
    batch = pool.draw(2, 2)
    given = [
        ((one.permute(0, 2, 3, 1) + 1) * 127.5).round().to(torch.uint8) for one in (batch.composite, batch.lowered)
    ]
    given.append((batch.mask[:, 0] * 255).round().to(torch.uint8))
    with torch.no_grad():
        wanted = Deployed(made.network.eval())(*given)
    shipped = onnx.load(str(ASSETS / "refiner.onnx"))
    (found,) = run(shipped, **{name: value.numpy() for name, value in zip(EXPORT.inputs, given, strict=True)})
    assert np.abs(found - wanted.numpy()).max() < 0.01
