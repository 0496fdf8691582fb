"""The trainer resumes, keeps its checkpoint intact, and returns to it when a loss is not finite."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

pytest.importorskip("torch", reason="torch is not installed: it is needed to train, never to use")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: it draws the curves of a training")

import torch
from short_trainings import Seconds, StoppedTrainer
from torch import Tensor, nn

from rtswap.core.errors import ModelError, OutputError, UsageError
from rtswap.training.recipe import Moment, Recipe, Terms
from rtswap.training.trainer import CHECKPOINT, ENDING_S, Trainer, budget_s, learning_rate
from training.__main__ import RECIPES, main

MINUTES = 20 / 60


class Line(Recipe):
    """Learns a straight line, with dropout, from batches that depend on the seed alone."""

    name, default_rate = "line", 1e-2
    weights = {"off": 1.0, "size": 1e-3}  # noqa: RUF012

    def __init__(self, bad_step: int | None = None, rate: float = 1e-2) -> None:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))
        super().__init__(network, argparse.Namespace(device="cpu", rate=rate, half=False, batch=8, begin_from=None))
        self.bad_step, self.moments, self.trials = bad_step, [], 0

    @contextmanager
    def batches(self, seed: int) -> Iterator[Iterator[Tensor]]:
        yield (torch.randn(8, 4, generator=torch.Generator().manual_seed(seed + n)) for n in range(10_000))

    def step(self, batches: Iterator[Any], moment: Moment) -> Terms:
        self.moments.append(moment)
        return super().step(batches, moment)

    def losses(self, batch: Tensor) -> Terms:
        off = (self.network(batch) - batch.sum(1, keepdim=True)).square().mean()
        if len(self.moments) - 1 == self.bad_step:
            off = off * float("nan")
        return {"off": off, "size": self.network[0].weight.square().mean()}

    def trial(self, picture: Path) -> dict[str, float]:
        self.trials += 1
        return {"answer": float(self.shadow(torch.ones(1, 4)))}


class OtherLine(Line):
    name = "other line"


def weights_of(recipe: Recipe) -> list[Tensor]:
    return [value for part in recipe.networks.values() for value in part.state_dict().values()]


def test_twenty_steps_are_ten_a_stop_and_ten_more_to_the_bit(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = Line()
    Trainer(whole, tmp_path / "whole", minutes=MINUTES, clock=Seconds()).run()
    first = Line()
    with pytest.raises(KeyboardInterrupt):
        StoppedTrainer(first, tmp_path / "parts", minutes=MINUTES, clock=Seconds()).run()
    second = Line()
    torch.manual_seed(99)  # another process begins with other random numbers
    Trainer(second, tmp_path / "parts", minutes=MINUTES, clock=Seconds()).run()
    assert [moment.step for moment in whole.moments] == list(range(20))
    assert first.moments + second.moments == whole.moments, "the same rates at the same shares of the time"
    for a, b in zip(weights_of(whole), weights_of(second), strict=True):
        assert torch.equal(a, b)
    kept = [torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "parts")]
    for part in ("network", "shadow"):
        assert all(torch.equal(value, kept[1][part][name]) for name, value in kept[0][part].items())


def test_a_training_that_goes_on_for_longer_warms_up_anew(tmp_path: Path) -> None:
    """Its rate rose at once from what it had fallen to: the loss exploded, and half of the rate was left."""
    Trainer(Line(), tmp_path, minutes=MINUTES, clock=Seconds()).run()
    longer = Line()
    Trainer(longer, tmp_path, minutes=5 * MINUTES, clock=Seconds()).run()
    rates = [moment.rate for moment in longer.moments]
    assert len(rates) == 80
    assert rates[:3] == pytest.approx([rates[0], 2 * rates[0], 3 * rates[0]])
    assert rates[0] == learning_rate(0, 0, longer.rate, longer.hold)


def test_a_crash_while_a_checkpoint_is_written_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(Line(), tmp_path, minutes=MINUTES, clock=Seconds())
    trainer.save()
    before = (tmp_path / CHECKPOINT).read_bytes()

    def crash(_: object, file: BinaryIO) -> None:
        file.write(before[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", crash)
    trainer.progress.step = 7
    with pytest.raises(OutputError, match="no space"):
        trainer.save()
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    trainer.load()
    assert trainer.progress.step == 0


def test_a_training_killed_before_its_first_step_goes_on_with_its_first_trial(tmp_path: Path) -> None:
    """It left a sheet and no checkpoint, so that the same command refused the folder."""
    killed, again = Line(), Line()

    def trial(picture: Path) -> dict[str, float]:
        picture.write_bytes(b"a sheet")
        raise RuntimeError("killed")

    killed.trial = trial  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="killed"):
        Trainer(killed, tmp_path, minutes=MINUTES, clock=Seconds()).run()
    assert (tmp_path / CHECKPOINT).exists()
    Trainer(again, tmp_path, minutes=MINUTES, clock=Seconds()).run()
    assert again.trials == 2
    rows = json.loads((tmp_path / "history.json").read_text())
    assert [row["step"] for row in rows if "answer" in row] == [0, 20]
    assert [moment.step for moment in again.moments] == list(range(20))


def test_a_loss_that_is_not_finite_goes_back_to_the_checkpoint_with_half_the_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, usual = Line(bad_step=70), Line()
    trainer = Trainer(recipe, tmp_path, minutes=2, clock=Seconds())
    trainer.run()
    (tmp_path / "usual").mkdir()
    Trainer(usual, tmp_path / "usual", minutes=2, clock=Seconds()).run()
    steps = [moment.step for moment in recipe.moments]
    back = next(n for n in range(1, len(steps)) if steps[n] < steps[n - 1])
    assert steps[back] == 60, "the last checkpoint was of step 60"
    same = learning_rate(recipe.moments[back].share, 60, recipe.rate, recipe.hold)
    assert recipe.moments[back].rate == pytest.approx(same / 2)
    assert recipe.moments[back - 1].rate == pytest.approx(usual.moments[back - 1].rate)
    assert all(torch.isfinite(value).all() for value in weights_of(recipe))
    assert "back to step 60" in capsys.readouterr().out
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["progress"]["setbacks"] == 1
    json.loads((tmp_path / "history.json").read_text(), parse_constant=pytest.fail)


def test_a_loss_that_explodes_right_after_a_training_goes_on_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REPORT_S", "SAVE_S"):
        monkeypatch.setattr(f"rtswap.training.trainer.{name}", 1.0)
    Trainer(Line(), tmp_path, minutes=MINUTES, clock=Seconds()).run()
    worse = Line()
    loss = worse.losses
    worse.losses = lambda batch: {name: 1e4 * value for name, value in loss(batch).items()}  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="the loss exploded"):
        Trainer(worse, tmp_path, minutes=2 * MINUTES, clock=Seconds()).run()


def test_a_recipe_that_learns_one_thing_after_the_other_does_not_explode_when_the_second_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The swap's first loss was 20 times as large as the last one of fslsd's prior: the training ended there."""

    class Two(Line):
        weights = {**Line.weights, "second": 1.0}  # noqa: RUF012

        def losses(self, batch: Tensor) -> Terms:
            terms = super().losses(batch)
            return terms if self.moments[-1].share < 0.6 else {"second": 1e4 * terms["off"]}

    for name in ("REPORT_S", "SAVE_S"):
        monkeypatch.setattr(f"rtswap.training.trainer.{name}", 1.0)
    recipe = Two()
    Trainer(recipe, tmp_path, minutes=2 * MINUTES, clock=Seconds()).run()
    assert recipe.moments[-1].share > 0.9
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["progress"]["setbacks"] == 0


def test_a_training_whose_loss_is_never_finite_ends_with_one_line_and_a_sound_checkpoint(tmp_path: Path) -> None:
    class Bad(Line):
        def losses(self, batch: Tensor) -> Terms:
            return {name: value * float("inf") for name, value in super().losses(batch).items()}

    with pytest.raises(ModelError, match="lower --rate"):
        Trainer(Bad(), tmp_path, minutes=60, clock=Seconds()).run()
    kept = torch.load(tmp_path / CHECKPOINT, weights_only=True)["network"]
    assert all(torch.isfinite(value).all() for value in kept.values())


def test_a_loss_that_is_not_finite_at_the_very_end_is_not_kept(tmp_path: Path) -> None:
    recipe = Line(bad_step=19)
    Trainer(recipe, tmp_path, minutes=MINUTES, clock=Seconds()).run()
    assert all(torch.isfinite(value).all() for value in weights_of(recipe))


def test_a_checkpoint_of_another_recipe_is_refused_in_one_line(tmp_path: Path) -> None:
    Trainer(Line(), tmp_path, minutes=MINUTES).save()
    with pytest.raises(UsageError) as error:
        Trainer(OtherLine(), tmp_path, minutes=MINUTES).run()
    text = str(error.value)
    assert "line, not of other line" in text
    assert "--out" in text
    assert "\n" not in text


def test_reports_trials_and_checkpoints_come_in_time_and_the_trial_is_of_the_averaged_network(tmp_path: Path) -> None:
    recipe = Line()
    recipe.trial_s = 50.0
    trainer = Trainer(recipe, tmp_path, minutes=2, clock=Seconds())
    trainer.run()
    rows = json.loads((tmp_path / "history.json").read_text())
    assert recipe.trials == 4, "before the first step, twice on the way, at the end"
    assert [row["step"] for row in rows if "answer" in row] == [0, 50, 100, 120]
    assert [row["step"] for row in rows if "off" in row] == [20, 40, 60, 80, 100, 120]
    assert rows[-1]["answer"] == pytest.approx(float(recipe.shadow.eval()(torch.ones(1, 4)).detach()))
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_a_deadline_shortens_training_never_lengthens_it_and_counts_from_now() -> None:
    assert budget_s(3, None, 0) == 180
    assert budget_s(3, time.time() + 600, 0) == 180
    assert budget_s(30, time.time() + 60 + ENDING_S, 0) == pytest.approx(60, abs=0.5)
    assert budget_s(30, time.time() + 60 + ENDING_S, 500) == pytest.approx(560, abs=0.5), "what is over stays over"
    assert budget_s(3, time.time() - 5, 0) < 0


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_command(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["training", name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert f"python -m training.{name}" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["training", "no such recipe"])
    with pytest.raises(SystemExit, match=name):
        main()


def test_a_deadline_that_has_passed_ends_with_a_checkpoint_and_no_step(tmp_path: Path) -> None:
    recipe = Line()
    Trainer(recipe, tmp_path, minutes=3, until=time.time() - 5, clock=Seconds()).run()
    assert not recipe.moments
    assert (tmp_path / CHECKPOINT).exists()
    later = Line()
    Trainer(later, tmp_path, minutes=MINUTES, clock=Seconds()).run()
    assert len(later.moments) == 20, "and it can go on from there"
