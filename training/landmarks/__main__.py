"""Train the landmark network: ``python -m training.landmarks --minutes 90 --faces DIR --teacher FILE --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--start FILE`` lets a new run begin with what fits of another run's checkpoint, say that of a smaller network.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from training.landmarks.faces import load_or_label, mirror_permutation, taught_and_kept_out
from training.landmarks.losses import losses, point_weights, weighted
from training.landmarks.network import SIZE, Deployed, LandmarkNetwork, to_input
from training.landmarks.pictures import contact_sheet, curves
from training.landmarks.samples import Batch, Sampler, replayed
from training.landmarks.trials import errors, held_out
from training.landmarks.views import Views, build
from training.under_way import (
    CHECKPOINT,
    Checkpointed,
    Progress,
    average,
    device_for,
    learning_rate,
    parser_of,
    set_rate,
    stand_back,
    steps_averaged,
)

QUICK = 128
"""Crops of each trial that are tried while training goes on."""


class Stream(IterableDataset[tuple[Any, ...]]):
    """Batches for a DataLoader's worker; every worker and every run draws others."""

    def __init__(self, views: Views, batch: int, seed: int) -> None:
        self._views, self._batch, self._seed = views, batch, seed

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        seed = self._seed * 64 + (worker.id if worker else 0)
        mirror = mirror_permutation()
        fresh = Sampler(self._views, mirror, SIZE, seed).batches(self._batch)
        for batch in replayed(fresh, mirror, seed):
            yield tuple(torch.from_numpy(part) for part in (batch.crops, batch.points, batch.visible, batch.present))


def sampled_meshes(stream: Iterator[tuple[Tensor, ...]], batches: int = 80) -> Tensor:
    """(M, 468, 3) labels as training sees them."""
    parts = [next(stream) for _ in range(batches)]
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
    train(args, device, views, trials)


@dataclass
class Run(Checkpointed):
    network: LandmarkNetwork
    shadow: LandmarkNetwork
    optimiser: torch.optim.Optimizer
    progress: Progress

    def step(self, batch: list[Tensor], weights: Tensor, rate: float, share: float) -> dict[str, Tensor]:
        """One step on a batch of crops, points, visible, present, ``share`` of the way; the loss terms."""
        set_rate(self.optimiser, rate)
        crops, points, visible, present = batch
        inputs = to_input(crops).contiguous(memory_format=torch.channels_last)
        terms = losses(self.network(inputs), points, visible, present, weights)
        self.optimiser.zero_grad(set_to_none=True)
        weighted(terms).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        average(self.shadow, self.network, self.progress.step, steps_averaged(share))
        self.progress.step += 1
        return terms


def begin(args: argparse.Namespace, device: str) -> Run:
    """A new run, from ``args.start`` where that is given, or the one whose checkpoint lies in ``args.out``."""
    network = LandmarkNetwork()
    if args.start is not None:
        network.grow_from(torch.load(args.start, map_location="cpu", weights_only=True)["shadow"])
    network.to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), args.rate, betas=(0.9, 0.99), weight_decay=1e-2)
    started = Run(network, copy.deepcopy(network), optimiser, Progress())
    if (args.out / CHECKPOINT).exists():
        started.load(args.out / CHECKPOINT, device)
    return started


def train(args: argparse.Namespace, device: str, views: Views, trials: dict[str, Batch]) -> None:
    run_ = begin(args, device)
    progress, budget = run_.progress, 60 * args.minutes
    samples, workers = Stream(views, args.batch, progress.step), 1 if device == "cpu" else 12
    loader = DataLoader(
        samples,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=6,
        worker_init_fn=stand_back if workers == 1 else None,
    )
    stream = iter(loader)
    if not progress.step and args.start is None:
        run_.network.cpu().start_from(sampled_meshes(stream))
        run_.network.to(device)
        run_.shadow.load_state_dict(run_.network.state_dict())
    sums: dict[str, float] = {}
    weights = point_weights().to(device)
    last, next_report, next_trial = time.perf_counter(), progress.seconds + 20, progress.seconds + 120
    while progress.seconds < budget:
        share = progress.seconds / budget
        rate = learning_rate(share, progress.step, args.rate)
        terms = run_.step([part.to(device) for part in next(stream)], weights, rate, share)
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        sums["count"] = sums.get("count", 0.0) + 1
        now = time.perf_counter()
        progress.seconds, last = progress.seconds + now - last, now
        if progress.seconds >= next_report:
            next_report = progress.seconds + 20
            report(progress, sums, rate, args)
            sums.clear()
        if progress.seconds >= next_trial:
            next_trial = progress.seconds + 300
            look_at(args.out, run_.shadow, trials, progress, device)
            run_.save(args.out / CHECKPOINT)
            last = time.perf_counter()
    look_at(args.out, run_.shadow, trials, progress, device)
    run_.save(args.out / CHECKPOINT)


def report(progress: Progress, sums: dict[str, float], rate: float, args: argparse.Namespace) -> None:
    count = sums.pop("count")
    means = {name: value / count for name, value in sums.items()}
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
