"""Train the occlusion network: ``python -m training.masks --minutes 40 --faces DIR --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from training.landmarks.faces import Labels, is_validation
from training.landmarks.pictures import curves
from training.landmarks.views import Views, build
from training.masks.cutouts import Cutouts, load_or_cut
from training.masks.losses import losses
from training.masks.network import Deployed, OcclusionNetwork, to_input
from training.masks.pictures import contact_sheet
from training.masks.samples import Batch, Sampler
from training.masks.trials import figures, held_out
from training.masks.worn import worn_by
from training.people import is_usable
from training.under_way import (
    CHECKPOINT,
    Checkpointed,
    Progress,
    average,
    device_for,
    learning_rate,
    parser_of,
    set_rate,
)

HOLD = 0.5
"""Share of the time at the full learning rate."""
STEPS_AVERAGED = 500


class Stream(IterableDataset[tuple[Tensor, ...]]):
    """Batches for a DataLoader's worker; every worker and every run draws others."""

    def __init__(self, views: Views, hands: Cutouts, worn: np.ndarray, batch: int, seed: int) -> None:
        self._views, self._hands, self._worn, self._batch, self._seed = views, hands, worn, batch, seed

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        seed = self._seed * 64 + (worker.id if worker else 0)
        for batch in Sampler(self._views, self._hands, seed, self._worn).batches(self._batch):
            yield tuple(torch.from_numpy(part) for part in (batch.crops, batch.guides, batch.visible, batch.weights))


def answers(network: nn.Module, batch: Batch, device: str) -> np.ndarray:
    """(N, 64, 64) 0..1"""
    deployed = Deployed(network).eval()
    parts = []
    with torch.no_grad():
        for i in range(0, len(batch.crops), 64):
            crops, guides = (torch.from_numpy(part[i : i + 64]).to(device) for part in (batch.crops, batch.guides))
            parts.append(deployed(crops, guides).cpu().numpy())
    return np.concatenate(parts)


@dataclass
class Run(Checkpointed):
    network: OcclusionNetwork
    shadow: OcclusionNetwork
    optimiser: torch.optim.Optimizer
    progress: Progress

    def step(self, batch: list[Tensor], rate: float) -> dict[str, Tensor]:
        """One step on a batch of crops, guides, visible, weights; the loss terms. bf16 on CUDA."""
        set_rate(self.optimiser, rate)
        crops, guides, visible, weights = batch
        inputs = to_input(crops, guides).contiguous(memory_format=torch.channels_last)
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=crops.is_cuda):
            logits = self.network(inputs)
        terms = losses(logits.float(), visible.float() / 255, weights.float() / 255)
        self.optimiser.zero_grad(set_to_none=True)
        sum(terms.values(), torch.zeros((), device=crops.device)).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        average(self.shadow, self.network, self.progress.step, STEPS_AVERAGED)
        self.progress.step += 1
        return terms


def begin(args: argparse.Namespace, device: str) -> Run:
    """A new run, or the one whose checkpoint lies in ``args.out``."""
    network = OcclusionNetwork().to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), args.rate, betas=(0.9, 0.99), weight_decay=1e-2)
    started = Run(network, copy.deepcopy(network), optimiser, Progress())
    if (args.out / CHECKPOINT).exists():
        started.load(args.out / CHECKPOINT, device)
    return started


def train(
    args: argparse.Namespace, device: str, views: Views, hands: Cutouts, worn: np.ndarray, trial: Batch
) -> None:
    run = begin(args, device)
    progress, budget = run.progress, 60 * args.minutes
    samples = Stream(views, hands, worn, args.batch, progress.step)
    workers = args.workers if device == "cpu" else 12
    stream = iter(DataLoader(samples, batch_size=None, num_workers=workers, prefetch_factor=4))
    sums: dict[str, float] = {}
    last, next_report, next_trial = time.perf_counter(), progress.seconds + 20, progress.seconds + 90
    while progress.seconds < budget:
        rate = learning_rate(progress.seconds / budget, progress.step, args.rate, HOLD)
        terms = run.step([part.to(device) for part in next(stream)], rate)
        for name, value in [*terms.items(), ("count", 1.0)]:
            sums[name] = sums.get(name, 0.0) + float(value.detach() if isinstance(value, Tensor) else value)
        now = time.perf_counter()
        progress.seconds, last = progress.seconds + now - last, now
        if progress.seconds >= next_report:
            next_report = progress.seconds + 20
            report(progress, sums, args)
            sums.clear()
        if progress.seconds >= next_trial:
            next_trial = progress.seconds + 150
            look_at(args.out, run, trial, device)
            last = time.perf_counter()
    look_at(args.out, run, trial, device)


def report(progress: Progress, sums: dict[str, float], args: argparse.Namespace) -> None:
    count = sums.pop("count")
    means = {name: value / count for name, value in sums.items()}
    progress.note(means)
    text = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
    left = args.minutes - progress.seconds / 60
    print(f"step {progress.step}  {text}  {count * args.batch / 20:.0f}/s  {left:.1f} min left", flush=True)


def look_at(out: Path, run: Run, trial: Batch, device: str) -> None:
    """Figures, curves, a contact sheet, a checkpoint."""
    visible = answers(run.shadow, trial, device)
    run.shadow.train()
    found = figures(visible, trial)
    print("held out: " + "  ".join(f"{name} {value:.3f}" for name, value in found.items()), flush=True)
    run.progress.note(found)
    (out / "history.json").write_text(json.dumps(run.progress.history))
    run.save(out / CHECKPOINT)
    first = Batch(trial.crops[:72], trial.guides[:72], trial.visible[:72], trial.weights[:72])
    contact_sheet(first, visible, out / "contact.png")
    curves(run.progress.history, out / "curves.png")


def people_of(faces: Path) -> tuple[Labels, np.ndarray]:
    """The pictures' meshes as they came with them, and who is kept out."""
    with np.load(faces / "faces.npz") as data:
        labels = Labels(data["name"], data["mesh468"].astype(np.float32), np.zeros(len(data["name"]), np.float32))
    return labels, np.array([is_validation(str(name)) for name in labels.names])


def views_of(args: argparse.Namespace, *, validation: bool) -> tuple[Views, np.ndarray]:
    """For training or kept out, and which glasses each person wears. The views are rendered once, or opened from
    ``--views``, where the landmark training left them."""
    labels, kept_out = people_of(args.faces)
    folder = (args.views or args.out) / ("views-validation" if validation else "views-train")
    usable = np.array([is_usable(str(name)) for name in labels.names])
    people = np.flatnonzero(usable & (kept_out == validation))
    views = _opened(folder) or build(args.faces, labels, people, 3 if validation else 6, folder)
    if views.people != len(people):
        raise SystemExit(f"{folder} shows {views.people} people, expected {len(people)}: give another --views")
    return views, worn_by(str(name) for name in labels.names[people])


def _opened(folder: Path) -> Views | None:
    """A finished cache. Views lie in blocks of all people, the first block the pictures as they are."""
    if not (folder / "labels.npz").exists():
        return None
    with np.load(folder / "labels.npz") as data:
        meshes, visible = data["meshes"], data["visible"]
    images = np.memmap(folder / "images.u8", np.uint8, "r", shape=(len(meshes), 256, 256, 3))
    return Views(images, meshes, visible, len(meshes) // (6 if folder.name == "views-train" else 3))


def arguments() -> argparse.Namespace:
    parser = parser_of("training.masks", __doc__, "caches, checkpoint, plots")
    parser.add_argument("--views", type=Path, help="folder with the landmark training's views, to share them")
    parser.add_argument("--clips", type=Path, nargs="*", default=[], help="clips to cut real hands from")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)  # before any fork: OpenCV's thread pool does not survive one
    torch.set_num_threads(args.threads)
    device = device_for(args.device)
    hands = load_or_cut(args.clips, args.out / "hands.npz")
    views, worn = views_of(args, validation=False)
    kept_out, theirs = views_of(args, validation=True)
    train(args, device, views, hands, worn, held_out(kept_out, hands, theirs))


if __name__ == "__main__":
    main()
