"""The loop: batches, reports, a look every few minutes."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn

from training.imported import settle, weights_from
from training.landmarks.pictures import curves
from training.one.batches import augmented
from training.one.losses import mended, psnr
from training.one.making import Arriving
from training.one.network import DeployedEncoder, DeployedGenerator, Generator, Made, One
from training.one.pairs import SHARD, Pairs, load
from training.one.pictures import contact_sheet
from training.one.pool import Batch, Pool
from training.one.run import Run
from training.one.steps import Steps
from training.one.together import alike, told
from training.one.watchers import Watchers
from training.under_way import CHECKPOINT, minutes_left

REPORT_S, LOOK_S = 20, 300


def work(args: argparse.Namespace, device: str, people: Tensor, others: Tensor, rank: int) -> None:
    """What each process does; see ``together``."""
    cv2.setNumThreads(1)
    torch.set_num_threads(args.threads)
    watchers = Watchers(args.recognition, args.landmarks, device)
    hard, trial = (load(args.out / name) for name in ("pairs-hard", "pairs-validation"))
    pool = Pool(min(args.most, args.shards * SHARD), device)
    arriving = Arriving(args.out / "pairs-train", pool)
    arriving.take()
    run = Run(device, args.rate, args.settled, args.size)
    if (args.out / CHECKPOINT).exists():
        run.load(args.out / CHECKPOINT, device)
    elif args.begin_from is not None:
        begin_from(run, args.begin_from, pool)
    torch.manual_seed(run.progress.step * 16 + rank)
    alike([*run.one.state_dict().values(), *run.critic.state_dict().values(), *run.shadow.state_dict().values()])
    steps = Steps(run, pool, watchers, people, true=args.true, cross=args.cross, half=args.half)
    with arriving.taking():
        train(args, rank, steps, pool, Trial(Pool.of(trial, device), hard, watchers, others))


class Fed(nn.Module):
    """The networks as one that takes a batch."""

    def __init__(self, one: One) -> None:
        super().__init__()
        self.one = one

    def forward(self, batch: Batch) -> Made:
        made: Made = self.one(*batch.given)
        return made


def begin_from(run: Run, folder: Path, pool: Pool) -> None:
    """Take over the networks that were exported into ``folder``."""
    one = One()
    weights_from(folder / "one-128.onnx", DeployedGenerator(one.generator))
    weights_from(folder / "one-128-source.onnx", DeployedEncoder(one.encoder))
    for network in (run.one, run.shadow):
        network.encoder.load_state_dict(one.encoder.state_dict())
        if isinstance(network.generator, Generator):
            network.generator.load_state_dict(one.generator.state_dict())
        elif (folder / "one-256.onnx").exists():
            weights_from(folder / "one-256.onnx", DeployedGenerator(network.generator)).train()
        else:
            network.generator.coarse.load_state_dict(one.generator.state_dict())
            continue  # the finer level has seen nothing yet
        settle(Fed(network), (augmented(pool.drawn(16, 8)) for _ in range(8)))


@dataclass(frozen=True)
class Trial:
    """What is measured on people kept out of training while it goes on."""

    pool: Pool
    hard: Pairs
    watchers: Watchers
    people: Tensor

    @torch.no_grad()
    def figures(self, one: One) -> dict[str, float]:
        """``psnr_*``: dB against the truth where the swap shows, of the mended face and of what it was given;
        ``who_*``: cosine to the source's person by the small recogniser that also looked on while it was trained;
        ``open`` and ``hidden``: how far the face is shown where nothing, and where something, is before it."""
        one.eval()
        names = ("psnr_one", "psnr_mesh", "who_one", "who_mesh", "open", "hidden")
        sums: dict[str, list[Tensor]] = {name: [] for name in names}
        for rows in torch.arange(self.pool.count, device=self.pool.device).chunk(8):
            batch = self.pool.batch(rows)
            output = mended(batch, one(*batch.given))
            shown, person, cross = batch.mask * batch.visible, self.people[batch.source], ~batch.known_truth
            for name, picture in (("one", output.picture), ("mesh", batch.composite)):
                sums[f"psnr_{name}"].append(psnr(picture, batch.truth, shown)[batch.known_truth])
                sums[f"who_{name}"].append((self.watchers.who(picture, batch.known) * person).sum(1)[cross])
            kept = torch.sigmoid(output.made.kept)
            sums["open"].append(kept[(batch.mask > 0.9) & (batch.visible > 0.9)])
            sums["hidden"].append(kept[(batch.mask > 0.9) & (batch.visible < 0.1)])
        one.train()
        return {name: float(torch.cat(values).mean()) for name, values in sums.items()}


def train(args: argparse.Namespace, rank: int, steps: Steps, pool: Pool, trial: Trial) -> None:
    """Until the minutes are over."""
    run, path = steps.run, args.out / CHECKPOINT
    budget = 60 * minutes_left(args.minutes, args.until)
    progress = run.progress
    last, next_report, next_look = time.perf_counter(), progress.seconds + REPORT_S, progress.seconds + LOOK_S
    first = progress.samples
    while (share := told(progress.seconds / budget)) < 1:
        steps.step(share)
        now = time.perf_counter()
        progress.seconds, last = progress.seconds + now - last, now
        if progress.seconds >= next_report:
            next_report = progress.seconds + REPORT_S
            if rank == 0:
                report(
                    steps, (progress.samples - first) * args.workers / REPORT_S, pool.count, budget - progress.seconds
                )
            first = progress.samples
        if rank == 0 and progress.seconds >= next_look:
            next_look = progress.seconds + LOOK_S
            look_at(args.out, run, trial)
            run.save(path)
            last = time.perf_counter()
    if rank == 0:
        look_at(args.out, run, trial)
        run.save(path)


def report(steps: Steps, speed: float, pairs: int, left_s: float) -> None:
    """One line of named loss terms."""
    progress, means = steps.run.progress, steps.taken()
    progress.note(means)
    text = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
    print(f"step {progress.step}  {text}  {speed:.0f}/s of {pairs} pairs  {left_s / 60:.1f} min left", flush=True)


def look_at(out: Path, run: Run, trial: Trial) -> None:
    """Figures, curves and the sheet; every sheet is kept under its minute, too."""
    progress = run.progress
    figures = trial.figures(run.shadow)
    print("held out: " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)
    progress.note(figures)
    (out / "history.json").write_text(json.dumps(progress.history))
    curves(progress.history, out / "curves.png")
    contact_sheet(run.shadow, trial.hard, out / f"contact-{progress.seconds / 60:04.0f}.png", run.device)
