"""The loop: batches, reports, a look every few minutes."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from training.landmarks.pictures import curves
from training.one.batches import Draws, augmented, gathered
from training.one.losses import mended, psnr
from training.one.network import One
from training.one.pairs import Pairs, load
from training.one.pictures import contact_sheet
from training.one.run import Run
from training.one.together import alike, told
from training.one.watchers import Watchers
from training.under_way import CHECKPOINT

REPORT_S, LOOK_S = 20, 300


def work(args: argparse.Namespace, device: str, people: Tensor, others: Tensor, rank: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(args.threads)
    torch.manual_seed(rank)
    hard, trial, pairs = (load(args.out / name) for name in ("pairs-hard", "pairs-validation", "pairs-train"))
    watchers = Watchers(args.recognition, args.landmarks, device)
    train(args, device, rank, pairs, watchers, people, Trial(trial, hard, watchers, others))


class Trial:
    """What is measured on people kept out of training while it goes on."""

    def __init__(self, pairs: Pairs, hard: Pairs, watchers: Watchers, people: Tensor) -> None:
        self._pairs, self.hard, self._watchers, self._people = pairs, hard, watchers, people

    @torch.no_grad()
    def figures(self, one: One, device: str) -> dict[str, float]:
        """``psnr_*``: dB against the truth where the swap shows, of the mended face and of what it was given;
        ``who_*``: cosine to the source's person by the small recogniser that also looked on while it was trained."""
        one.eval()
        sums: dict[str, list[Tensor]] = {name: [] for name in ("psnr_one", "psnr_mesh", "who_one", "who_mesh")}
        for rows in np.array_split(np.arange(len(self._pairs)), 8):
            batch = gathered(self._pairs, rows, device)
            made = mended(batch, one(batch.composite, batch.lowered, batch.mask, batch.photo)).picture
            shown, person = batch.mask * batch.visible, self._people[batch.source]
            for name, picture in (("one", made), ("mesh", batch.composite)):
                sums[f"psnr_{name}"].append(psnr(picture, batch.target, shown)[batch.same])
                sums[f"who_{name}"].append((self._watchers.who(picture, batch.known) * person).sum(1)[~batch.same])
        one.train()
        return {name: float(torch.cat(values).mean()) for name, values in sums.items()}


def train(
    args: argparse.Namespace, device: str, rank: int, pairs: Pairs, watchers: Watchers, people: Tensor, trial: Trial
) -> None:
    run = Run(device, args.rate, args.settled)
    path, budget = args.out / CHECKPOINT, 60 * args.minutes
    if path.exists():
        run.load(path, device)
    alike([*run.one.state_dict().values(), *run.critic.state_dict().values(), *run.shadow.state_dict().values()])
    progress, seed = run.progress, run.progress.step * 16 + rank
    draws, dice = Draws(pairs, seed), torch.Generator().manual_seed(seed)
    sums: dict[str, list[float]] = {}
    last, next_report, next_look = time.perf_counter(), progress.seconds + REPORT_S, progress.seconds + LOOK_S
    while (share := told(progress.seconds / budget)) < 1:
        batch = augmented(gathered(pairs, draws.rows(args.same, args.cross), device), dice)
        terms = run.step(batch, watchers, people, share, dice, args.half)
        for name, value in terms.items() if rank == 0 else ():
            sums.setdefault(name, []).append(float(value.detach()))
        now = time.perf_counter()
        progress.seconds, last = progress.seconds + now - last, now
        if rank == 0 and progress.seconds >= next_report:
            next_report = progress.seconds + REPORT_S
            report(run, sums, args)
            sums = {}
        if rank == 0 and progress.seconds >= next_look:
            next_look = progress.seconds + LOOK_S
            look_at(args.out, run, trial, device)
            run.save(path)
            last = time.perf_counter()
    if rank == 0:
        look_at(args.out, run, trial, device)
        run.save(path)


def report(run: Run, sums: dict[str, list[float]], args: argparse.Namespace) -> None:
    progress = run.progress
    means = {name: float(np.mean(values)) for name, values in sums.items()}
    progress.note(means)
    text = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
    speed = args.workers * (args.same + args.cross) * max(len(values) for values in sums.values()) / REPORT_S
    left = args.minutes - progress.seconds / 60
    print(f"step {progress.step}  {text}  {speed:.0f}/s  {left:.1f} min left", flush=True)


def look_at(out: Path, run: Run, trial: Trial, device: str) -> None:
    """Figures, curves and the sheet; every sheet is kept under its minute, too."""
    progress = run.progress
    figures = trial.figures(run.shadow, device)
    print("held out: " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)
    progress.note(figures)
    (out / "history.json").write_text(json.dumps(progress.history))
    curves(progress.history, out / "curves.png")
    contact_sheet(run.shadow, trial.hard, out / f"contact-{progress.seconds / 60:04.0f}.png", device)
