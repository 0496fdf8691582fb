"""The one loop: steps against a clock, the averaged network, reports, held-out trials, checkpoints.

It knows no network. A recipe (see ``training.recipe``) has the networks, the optimisers, the batches, one step and
a trial; everything that happens around a step happens here.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from rtswap.core.errors import ModelError, OutputError, UsageError, reason
from rtswap.core.files import replacing, write_atomic
from rtswap.core.text import printable
from rtswap.training.checkpoint import DAMAGED, is_plain, read_checkpoint
from rtswap.training.pictures import curves
from rtswap.training.processes import broadcast
from rtswap.training.recipe import Moment, Recipe, Terms

CHECKPOINT, HISTORY, CURVES = "checkpoint.pt", "history.json", "curves.png"
REPORT_S, SAVE_S = 20.0, 60.0
"""Seconds of training between two reports, and between two checkpoints."""
ENDING_S = 12.0
"""Seconds before a deadline at which training stops, for the last trial and checkpoint."""
WARM_UP_STEPS = 100
LONGER = 0.1
"""By how much the share of the time that is over must fall, when a training goes on for longer, for the rate to warm
up anew: it had fallen with the share, and the optimiser had got used to that."""
MOST_SETBACKS = 6
"""Returns to a checkpoint after which a training is given up."""
EXPLODED, USUAL_REPORTS = 10.0, 8
"""How many times as large as the median of so many reports a loss may become."""


class Listener:
    """Prints the events of a training at once, a line each. Subclasses show them in other ways."""

    def event(self, line: str) -> None:
        """Report something unusual."""
        print(line, flush=True)

    def step(self, number: int, seconds: float, of_s: float) -> None:
        """After each step: how many seconds of training are over, of how many."""

    def report(self, number: int, terms: dict[str, float], line: str) -> None:
        """Every ``REPORT_S``: the mean of each loss term since the last report, and a line with rate and speed."""
        text = "  ".join(f"{name} {value:.4f}" for name, value in terms.items())
        print(f"step {number}  {text}  {line}", flush=True)

    def trial(self, minutes: float, figures: dict[str, float], picture: Path) -> None:
        """The averaged network was tried on people kept out of training; ``picture`` shows it."""
        print("held out: " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items()), flush=True)


@dataclass
class Progress:
    """The progress of a training over all its runs."""

    step: int = 0
    seconds: float = 0.0
    setbacks: int = 0
    """Returns to a checkpoint; each halved the learning rate."""
    history: list[dict[str, float]] = field(default_factory=list)
    budget: float = 0.0
    """Seconds of training that were planned when this was saved; 0: unknown."""
    warm_from: int = 0
    """Step at which the learning rate last rose from 0."""

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Progress:
        """Read it from a checkpoint. Raises ValueError or TypeError for anything else."""
        found = cls(**kept)
        whole = all(is_plain(count, whole=True) for count in (found.step, found.setbacks, found.warm_from))
        counts = whole and is_plain(found.seconds) and is_plain(found.budget)
        if not counts or not isinstance(found.history, list) or not all(map(_is_row, found.history)):
            raise ValueError("progress")
        return found

    def note(self, figures: dict[str, float]) -> None:
        """Add this moment's figures to the history."""
        self.history.append({"minutes": self.seconds / 60, "step": self.step, **figures})


class Means:
    """Means of named terms. They are summed on their device, so that no step waits for it."""

    def __init__(self) -> None:
        self._sums: Terms = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: Terms) -> None:
        for name, value in terms.items():
            self._sums[name] = self._sums[name] + value.detach() if name in self._sums else value.detach().clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def now(self) -> dict[str, float]:
        """Return the means since ``clear``. Waits for the device."""
        return {name: float(value) / self._counts[name] for name, value in self._sums.items()}

    def clear(self) -> None:
        self._sums, self._counts = {}, {}


class Trainer:
    """Trains ``recipe`` for ``minutes`` over all its runs, or until ``until``, and keeps everything in ``out``.

    Where ``out`` has a checkpoint it goes on from there. Of several processes ``rank`` 0 alone reports, tries and
    saves; the others follow its clock.
    """

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        *,
        minutes: float,
        until: float | None = None,
        rank: int = 0,
        clock: Callable[[], float] = time.perf_counter,
        listener: Listener | None = None,
    ) -> None:
        """``until``: seconds since 1970. ``clock``: seconds since any moment."""
        self.recipe, self.progress = recipe, Progress()
        self._out, self._path = out, out / CHECKPOINT
        self._minutes, self._until, self._rank, self._clock = minutes, until, rank, clock
        self._listener = listener or Listener()
        self._means, self._diverged, self._rate = Means(), False, 0.0
        self._totals: deque[tuple[frozenset[str], float]] = deque(maxlen=USUAL_REPORTS)
        self._last, self._steps_reported = 0.0, 0
        self._budget = budget_s(minutes, until, 0.0)

    def run(self) -> None:
        """Train until the time is up."""
        resumed = self._path.exists()
        if resumed:
            self.load()
        with self.recipe.batches(self.progress.step) as batches:
            if not resumed:
                self.recipe.prepare(batches)
            broadcast(*(value for part in self.recipe.networks.values() for value in part.state_dict().values()))
            if not resumed:
                self.save()  # before any other file: without a checkpoint a killed training could not go on
            if not self.progress.history:
                self._try_out()
            self._follow(batches)
        self.save()
        self._try_out()

    def save(self) -> None:
        """Write the checkpoint atomically."""
        if self._rank == 0:
            state = {name: part.state_dict() for name, part in self.recipe.parts.items()}
            random = {"cpu": torch.get_rng_state()}
            if self.recipe.device == "cuda":
                random["cuda"] = torch.cuda.get_rng_state()
            kept = {"recipe": self.recipe.name, **state, "progress": asdict(self.progress), "random": random}
            try:
                with replacing(self._path) as file:
                    torch.save(kept, file)
            except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
                do = "Free some disk space; the training goes on from the last checkpoint."
                raise OutputError(f"cannot write {self._path}", got=reason(error), do=do) from None

    def load(self) -> None:
        """Go on from the checkpoint. Raises UsageError for one of another recipe, ModelError for a damaged one."""
        state, name = read_checkpoint(self._path, self.recipe.device), self.recipe.name
        whose = printable(str(state.get("recipe", "another recipe"))[:40])
        try:
            if whose != name:
                raise ValueError(whose)
            self.recipe.load(state)
            self.progress = Progress.of(state["progress"])
            self._go_on_drawing(state["random"])
        except DAMAGED:
            whose = whose if whose != name else "another network"
            raise UsageError(
                f"{self._path} is a checkpoint of {whose}, not of {name}", do="Give another --out."
            ) from None
        reports = [row for row in self.progress.history if row.keys() & self.recipe.weights.keys()]
        self._totals.extend(self._total(row) for row in reports[-USUAL_REPORTS:])

    def _go_on_drawing(self, random: dict[str, Tensor]) -> None:
        """Set the random numbers to where a checkpoint was."""
        if self._rank:
            torch.manual_seed(16 * self.progress.step + self._rank)
            return
        torch.set_rng_state(random["cpu"].cpu())
        if "cuda" in random and self.recipe.device == "cuda":
            torch.cuda.set_rng_state(random["cuda"].cpu())

    def _follow(self, batches: Iterator[Any]) -> None:
        """Steps until the time is up. Trials on the way do not count as training."""
        progress = self.progress
        self._budget = budget_s(self._minutes, self._until, progress.seconds)
        planned = progress.budget > 0 and self._budget > 0
        if planned and progress.seconds * (1 / progress.budget - 1 / self._budget) > LONGER:
            progress.warm_from = progress.step
        progress.budget = max(0.0, self._budget)
        self._last, self._steps_reported = self._clock(), progress.step
        report, save, trial = (progress.seconds + every for every in (REPORT_S, SAVE_S, self.recipe.trial_s))
        while (share := self._share()) < 1:
            if share < 0:
                self._return_to_checkpoint()
                progress = self.progress
                report, save = progress.seconds + REPORT_S, progress.seconds + SAVE_S
            else:
                self._step(batches, share)
            if self._rank == 0 and progress.seconds >= report:
                report = progress.seconds + REPORT_S
                self._report()
            if self._rank == 0 and progress.seconds >= save and self._is_sound():
                save = progress.seconds + SAVE_S
                self.save()
            if self._rank == 0 and progress.seconds >= trial and self._is_sound():
                trial = progress.seconds + self.recipe.trial_s
                self._try_out()

    def _share(self) -> float:
        """How much of the time is over, 1 where all is; below 0: go back to the checkpoint. Rank 0 decides."""
        over = self.progress.seconds >= self._budget
        if over and self._rank == 0:
            self._is_sound()
        share = -1.0 if self._diverged else 1.0 if over else self.progress.seconds / self._budget
        agreed = torch.tensor(share, dtype=torch.float64)
        broadcast(agreed)
        return float(agreed)

    def _step(self, batches: Iterator[Any], share: float) -> None:
        recipe, progress = self.recipe, self.progress
        peak = recipe.rate * 0.5**progress.setbacks
        self._rate = learning_rate(share, progress.step - progress.warm_from, peak, recipe.hold)
        moment = Moment(progress.step, share, self._rate)
        self._means.add(recipe.step(batches, moment))
        average(recipe.shadow, recipe.network, progress.step, recipe.averaged_over(moment))
        progress.step += 1
        now = self._clock()
        progress.seconds, self._last = progress.seconds + now - self._last, now
        if self._rank == 0:
            self._listener.step(progress.step, progress.seconds, self._budget)

    @torch.no_grad()
    def _is_sound(self) -> bool:
        """Whether losses and weights are finite, and the loss far from exploding; if not, the next step is a return
        to the checkpoint."""
        means = self._means.now()
        values = [*means.values(), *(float(value.sum()) for value in self.recipe.network.parameters())]
        terms, total = self._total(means)
        before = [other for names, other in self._totals if names == terms]
        usual = median(before) if len(before) == USUAL_REPORTS else math.inf
        self._diverged = not all(map(math.isfinite, values)) or total > EXPLODED * usual
        return not self._diverged

    def _total(self, means: dict[str, float]) -> tuple[frozenset[str], float]:
        """The terms that are minimised, without critics', which rise and fall; and their sum, to be compared where
        the terms are the same: a recipe may learn one thing after the other."""
        parts = {name: abs(weight * means[name]) for name, weight in self.recipe.weights.items() if name in means}
        return frozenset(parts), sum(parts.values())

    def _return_to_checkpoint(self) -> None:
        """Load the checkpoint again and go on from it with half the learning rate. The elapsed time is kept."""
        before, setbacks = self.progress, self.progress.setbacks + 1
        if setbacks > MOST_SETBACKS:
            raise ModelError(
                f"the loss exploded {setbacks} times", do=f"Give a lower --rate than {self.recipe.rate}."
            )
        self.load()
        self.progress = replace(before, step=self.progress.step, history=self.progress.history, setbacks=setbacks)
        self._diverged, self._steps_reported, self._last = False, self.progress.step, self._clock()
        self._means.clear()
        if self._rank == 0:
            self._listener.event(f"the loss exploded: back to step {self.progress.step}, half the rate")

    def _report(self) -> None:
        """One line: the mean of every loss term, the rate, the speed."""
        progress = self.progress
        means = self._means.now()
        if not self._is_sound():
            return
        progress.note(means)
        speed = (progress.step - self._steps_reported) * self.recipe.batch_size / REPORT_S
        left = (self._budget - progress.seconds) / 60
        line = f"rate {self._rate:.1e}  {speed:.0f}/s{self.recipe.status()}  {left:.1f} min left"
        self._listener.report(progress.step, means, line)
        self._totals.append(self._total(means))
        self._means.clear()
        self._steps_reported = progress.step

    def _try_out(self) -> None:
        """The held-out trial of the averaged network: figures, curves, a picture, and a checkpoint that has them."""
        if self._rank:
            return
        minutes = self.progress.seconds / 60
        self.recipe.shadow.eval()
        with torch.no_grad():
            picture = contact_sheet(self._out, minutes)
            figures = self.recipe.trial(picture)
        self.recipe.shadow.train()
        self._listener.trial(minutes, figures, picture)
        self.progress.note(figures)
        write_atomic(self._out / HISTORY, json.dumps(self.progress.history).encode())
        curves(self.progress.history, self._out / CURVES)
        self.save()
        self._budget = budget_s(self._minutes, self._until, self.progress.seconds)
        self._last = self._clock()


def contact_sheet(out: Path, minutes: float) -> Path:
    """Where the sheet of a trial lies."""
    return out / f"contact-{minutes:04.0f}.png"


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not {"minutes", "step"} <= row.keys():
        return False
    whole = all(type(value) is float or (type(value) is int and abs(value) < 1e15) for value in row.values())
    return whole and all(type(name) is str and len(name) < 100 for name in row)


def budget_s(minutes: float, until: float | None, seconds: float) -> float:
    """Seconds of training over all runs, ``seconds`` of which are over: ``minutes``, or fewer where ``ENDING_S``
    before the deadline ``until`` comes first."""
    return 60 * minutes if until is None else min(60 * minutes, seconds + until - time.time() - ENDING_S)


def learning_rate(share: float, step: int, peak: float, hold: float) -> float:
    """Warm up, hold ``peak`` for ``hold`` of the time, then fall along a cosine to a hundredth of it."""
    fall = 0.5 * (1 + math.cos(math.pi * min(max((share - hold) / max(1 - hold, 1e-9), 0.0), 1.0)))
    return peak * min(1.0, (step + 1) / WARM_UP_STEPS) * (0.01 + 0.99 * fall)


def average(shadow: nn.Module, network: nn.Module, step: int, over: float) -> None:
    """``shadow`` follows ``network``: an exponential mean over about the last ``over`` steps, fewer at the start."""
    keep = min(1 - 1 / over, (step + 1) / (step + 12))
    pairs = list(zip(shadow.state_dict().values(), network.state_dict().values(), strict=True))
    numbers = [pair for pair in pairs if pair[0].dtype.is_floating_point]
    with torch.no_grad():
        torch._foreach_lerp_([old for old, _ in numbers], [new for _, new in numbers], 1 - keep)
        for old, new in pairs:
            if not old.dtype.is_floating_point:
                old.copy_(new)
