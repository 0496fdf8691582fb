"""Train the landmark network: ``python -m training.landmarks --minutes 90 --faces DIR --teacher FILE --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--start FILE`` lets a new run begin with what fits of another run's checkpoint, say that of a smaller network;
``--begin-from FILE`` with an exported one. On a GPU add ``--pool 65536 --workers 8 --batch 512``, on a CPU with AMX
``--half --fresh --threads 1 --batch 64``: two cores learn from 300 samples a second.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from training.drawn import FromWorkers
from training.imported import settle, weights_from
from training.landmarks.faces import load_or_label, mirror_permutation, taught_and_kept_out
from training.landmarks.losses import losses, point_weights, weighted
from training.landmarks.network import SIZE, Deployed, LandmarkNetwork, to_input
from training.landmarks.pictures import contact_sheet, curves
from training.landmarks.samples import Batch
from training.landmarks.stream import Maker, Pooled, loaded
from training.landmarks.trials import errors, held_out
from training.landmarks.views import Views, build
from training.pool import Pool
from training.under_way import (
    CHECKPOINT,
    Checkpointed,
    Progress,
    add,
    also_fast,
    average,
    device_for,
    learning_rate,
    minutes_left,
    parser_of,
    set_rate,
    share_averaged,
)

Batches = FromWorkers | Pooled

AGAIN = 6.0
"""How often a shot of the pool is filmed, on average."""
SETTLING = 8
"""Batches that a network from a file looks at before it learns."""
QUICK = 128
"""Crops of each trial that are tried while training goes on."""


def sampled_meshes(batches: Batches, count: int = 80) -> Tensor:
    """(M, 468, 3) labels as training sees them."""
    parts = [next(batches) for _ in range(count)]
    return torch.cat([points[present > 0] for _, points, _, present in parts])


def measure(network: LandmarkNetwork, trials: dict[str, Batch], device: str) -> dict[str, float]:
    """Mean point error in percent per trial, and the share of right answers to "is there a face?"."""
    deployed, figures, right = Deployed(network).eval(), {}, []
    for name, whole in trials.items():
        batch = Batch(whole.crops[:QUICK], whole.points[:QUICK], whole.visible[:QUICK], whole.present[:QUICK])
        points, _, presence = run(deployed, batch.crops, device)
        right.append((presence > 0.5) == (batch.present > 0.5))
        if name != "absent":
            there = batch.present > 0.5
            figures[f"error_{name}"] = float(errors(points[there], batch.points[there]).mean())
    figures["presence_wrong"] = 1 - float(np.mean([right[-1].mean(), np.concatenate(right[:-1]).mean()])) + 1e-5
    return figures


def run(deployed: nn.Module, crops: Any, device: str) -> list[Any]:
    with torch.no_grad():
        parts = [deployed(torch.from_numpy(crops[i : i + 64]).to(device)) for i in range(0, len(crops), 64)]
    return [torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True)]


def arguments() -> argparse.Namespace:
    parser = parser_of("training.landmarks", __doc__, "caches, checkpoint, plots")
    parser.add_argument("--teacher", type=Path, required=True, help="facemesh.onnx")
    parser.add_argument("--start", type=Path, help="another run's checkpoint to begin with")
    also_fast(parser)
    parser.add_argument("--covered", type=float, default=0.5, help="share of faces with something before them")
    parser.add_argument("--fresh", action="store_true", help="no sample comes twice")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--views", type=int, default=6, help="rendered views per person")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    cv2.setNumThreads(1)  # before any fork: OpenCV's thread pool does not survive one
    torch.set_num_threads(args.threads)
    device = device_for(args.device)
    labels = load_or_label(args.faces, args.teacher, args.out / "labels.npz")
    taught, people = taught_and_kept_out(labels)
    views = build(args.faces, labels, taught, args.views, args.out / "views-train")
    trials = held_out(args.faces, labels, people, mirror_permutation(), args.out / "views-validation", SIZE)
    args.minutes = minutes_left(args.minutes, args.until)
    train(args, device, views, trials)


def batches_of(args: argparse.Namespace, device: str, views: Views, seed: int) -> Batches:
    maker = Maker(views, (1 - args.covered, 0.75 * args.covered, 0.25 * args.covered))
    if not args.pool:
        return loaded(maker, device, args.batch, seed, fresh=args.fresh)
    pool = Pool(maker, device, capacity=args.pool, workers=args.workers, seed=seed, again=AGAIN)
    return Pooled(pool, device, args.batch, seed)


@dataclass
class Run(Checkpointed):
    network: LandmarkNetwork
    shadow: LandmarkNetwork
    optimiser: torch.optim.Optimizer
    progress: Progress
    half: bool
    """Whether convolutions are computed in bf16."""

    def step(self, batch: list[Tensor], weights: Tensor, rate: float, share: float) -> dict[str, Tensor]:
        """One step on a batch of crops, points, visible, present, ``share`` of the way; the loss terms."""
        set_rate(self.optimiser, rate)
        crops, points, visible, present = batch
        inputs = to_input(crops).contiguous(memory_format=torch.channels_last)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.half):
            seen = self.network.look(inputs)
        terms = losses(self.network.read(*(part.float() for part in seen)), points, visible, present, weights)
        self.optimiser.zero_grad(set_to_none=True)
        weighted(terms).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        average(self.shadow, self.network, self.progress.step, share_averaged(share, self.progress.step))
        self.progress.step += 1
        return terms


def begin(args: argparse.Namespace, device: str) -> Run:
    """A new run, from ``args.start`` where that is given, or the one whose checkpoint lies in ``args.out``."""
    network = LandmarkNetwork()
    if args.start is not None:
        network.grow_from(torch.load(args.start, map_location="cpu", weights_only=True)["shadow"])
    if args.begin_from is not None:
        weights_from(args.begin_from, Deployed(network))
        network.train()
    network.to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), args.rate, betas=(0.9, 0.99), weight_decay=1e-2)
    started = Run(network, copy.deepcopy(network), optimiser, Progress(), args.half)
    if (args.out / CHECKPOINT).exists():
        started.load(args.out / CHECKPOINT, device)
    return started


def prepare(args: argparse.Namespace, run_: Run, batches: Batches, trials: dict[str, Batch], device: str) -> None:
    """What a new run does before its first step."""
    if run_.progress.step or args.start is not None:
        return
    if args.begin_from is not None:
        settle(run_.network, (to_input(next(batches)[0]) for _ in range(SETTLING)))
    else:
        meshes = sampled_meshes(batches).cpu()
        run_.network.cpu().start_from(meshes)
        run_.network.to(device)
    run_.shadow.load_state_dict(run_.network.state_dict())
    if args.begin_from is not None:
        look_at(args.out, run_.shadow, trials, run_.progress, device)


def train(args: argparse.Namespace, device: str, views: Views, trials: dict[str, Batch]) -> None:
    run_ = begin(args, device)
    with batches_of(args, device, views, run_.progress.step) as batches:
        prepare(args, run_, batches, trials, device)
        args.minutes = minutes_left(args.minutes, args.until)
        follow(args, device, run_, batches, trials)
    run_.save(args.out / CHECKPOINT)
    look_at(args.out, run_.shadow, trials, run_.progress, device)


def follow(args: argparse.Namespace, device: str, run_: Run, batches: Batches, trials: dict[str, Batch]) -> None:
    """Steps until the time is up. Trials on the way do not count, but with ``--until`` they are left out."""
    progress, budget = run_.progress, 60 * args.minutes
    sums: dict[str, Tensor] = {}
    weights, count, rate = point_weights().to(device), 0, 0.0
    last, next_report, next_trial = time.perf_counter(), progress.seconds + 20, progress.seconds + 120
    while progress.seconds < budget:
        share = progress.seconds / budget
        rate = learning_rate(share, progress.step, args.rate)
        add(sums, run_.step(next(batches), weights, rate, share))
        count += 1
        now = time.perf_counter()
        progress.seconds, last = progress.seconds + now - last, now
        if progress.seconds >= next_report:
            next_report = progress.seconds + 20
            report(progress, {name: float(value) / count for name, value in sums.items()}, count, rate, args)
            sums.clear()
            count = 0
        if progress.seconds >= next_trial:
            next_trial = progress.seconds + (300 if args.until is None else 60)
            run_.save(args.out / CHECKPOINT)
            if args.until is None:
                look_at(args.out, run_.shadow, trials, progress, device)
                last = time.perf_counter()


def report(progress: Progress, means: dict[str, float], count: int, rate: float, args: argparse.Namespace) -> None:
    progress.note(means)
    left = args.minutes - progress.seconds / 60
    text = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
    speed = count * args.batch / 20
    print(f"step {progress.step}  {text}  rate {rate:.1e}  {speed:.0f}/s  {left:.1f} min left", flush=True)


def look_at(out: Path, shadow: LandmarkNetwork, trials: dict[str, Batch], progress: Progress, device: str) -> None:
    figures = measure(shadow, trials, device)
    shadow.train()
    print("held out: " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)
    progress.note(figures)
    (out / "history.json").write_text(json.dumps(progress.history))
    curves(progress.history, out / "curves.png")
    deployed = Deployed(shadow).eval()
    crops = np.concatenate([trials[name].crops[:8] for name in ("jittered", "yaw45", "occluded", "mixed", "absent")])
    points, visibility, presence = run(deployed, crops, device)
    contact_sheet(crops, points, visibility, presence, out / "contact.png")
    shadow.train()


if __name__ == "__main__":
    main()
