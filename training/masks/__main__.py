"""Train the occlusion network: ``python -m training.masks --minutes 40 --faces DIR --out DIR``.

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--begin-from FILE`` begins with an exported network. On a GPU add ``--pool 65536 --workers 4 --batch 512``, on a
CPU with AMX ``--half``.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from training.drawn import FromWorkers
from training.imported import settle, weights_from
from training.landmarks.faces import Labels, taught_and_kept_out
from training.landmarks.pictures import curves
from training.landmarks.views import Views, build
from training.masks.cutouts import load_or_cut
from training.masks.losses import losses
from training.masks.network import Deployed, OcclusionNetwork, to_input
from training.masks.pictures import contact_sheet
from training.masks.samples import Batch
from training.masks.stream import Maker, Pooled, loaded
from training.masks.trials import figures, held_out
from training.masks.worn import worn_by
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

AGAIN = 12.0
"""How often a sample of the pool is filmed, on average."""
SETTLING = 8
"""Batches that a network from a file looks at before it learns."""
HOLD = 0.5
"""Share of the time at the full learning rate."""
STEPS_AVERAGED = 500


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
    half: bool
    """Whether convolutions are computed in bf16; on CUDA they always are."""

    def step(self, batch: list[Tensor], rate: float, share: float) -> dict[str, Tensor]:
        """One step on a batch of crops, guides, visible, weights, ``share`` of the way; the loss terms."""
        set_rate(self.optimiser, rate)
        crops, guides, visible, weights = batch
        inputs = to_input(crops, guides).contiguous(memory_format=torch.channels_last)
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=crops.is_cuda or self.half):
            logits = self.network(inputs)
        terms = losses(logits.float(), visible.float() / 255, weights.float() / 255)
        self.optimiser.zero_grad(set_to_none=True)
        sum(terms.values(), torch.zeros((), device=crops.device)).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        over = min(STEPS_AVERAGED, share_averaged(share, self.progress.step))
        average(self.shadow, self.network, self.progress.step, over)
        self.progress.step += 1
        return terms


def begin(args: argparse.Namespace, device: str) -> Run:
    """A new run, from ``args.begin_from`` where that is given, or the one whose checkpoint lies in ``args.out``."""
    network = OcclusionNetwork()
    if args.begin_from is not None:
        weights_from(args.begin_from, Deployed(network))
        network.train()
    network.to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), args.rate, betas=(0.9, 0.99), weight_decay=1e-2)
    started = Run(network, copy.deepcopy(network), optimiser, Progress(), args.half)
    if (args.out / CHECKPOINT).exists():
        started.load(args.out / CHECKPOINT, device)
    return started


def batches_of(args: argparse.Namespace, device: str, maker: Maker, seed: int) -> FromWorkers | Pooled:
    if not args.pool:
        return loaded(maker, device, args.batch, seed, args.workers if device == "cpu" else 12)
    pool = Pool(maker, device, capacity=args.pool, workers=args.workers, seed=seed, again=AGAIN)
    return Pooled(pool, device, args.batch, seed)


def train(args: argparse.Namespace, device: str, maker: Maker, trial: Batch) -> None:
    run = begin(args, device)
    with batches_of(args, device, maker, run.progress.step) as batches:
        if args.begin_from is not None and not run.progress.step:
            settle(run.network, (to_input(*next(batches)[:2]) for _ in range(SETTLING)))
            run.shadow.load_state_dict(run.network.state_dict())
            look_at(args.out, run, trial, device)
        args.minutes = minutes_left(args.minutes, args.until)
        follow(args, device, run, batches, trial)
    look_at(args.out, run, trial, device)


def follow(args: argparse.Namespace, device: str, run: Run, batches: FromWorkers | Pooled, trial: Batch) -> None:
    """Steps until the time is up. Trials on the way do not count, but with ``--until`` they are left out."""
    progress, budget = run.progress, 60 * args.minutes
    sums: dict[str, Tensor] = {}
    count, last = 0, time.perf_counter()
    next_report, next_trial = progress.seconds + 20, progress.seconds + 90
    while progress.seconds < budget:
        share = progress.seconds / budget
        rate = learning_rate(share, progress.step, args.rate, HOLD)
        add(sums, run.step(next(batches), rate, share))
        count += 1
        now = time.perf_counter()
        progress.seconds, last = progress.seconds + now - last, now
        if progress.seconds >= next_report:
            next_report = progress.seconds + 20
            report(progress, {name: float(value) / count for name, value in sums.items()}, count, args)
            sums.clear()
            count = 0
        if progress.seconds >= next_trial:
            next_trial = progress.seconds + (150 if args.until is None else 60)
            if args.until is None:
                look_at(args.out, run, trial, device)
                last = time.perf_counter()
            else:
                run.save(args.out / CHECKPOINT)


def report(progress: Progress, means: dict[str, float], count: int, args: argparse.Namespace) -> None:
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


def people_of(args: argparse.Namespace) -> tuple[Labels, tuple[np.ndarray, np.ndarray]]:
    """The pictures' meshes as they came with them, or as the landmark training labelled them where its views are
    shared; who is taught and who is kept out."""
    if args.views and (args.views / "labels.npz").exists():
        with np.load(args.views / "labels.npz") as data:
            labels = Labels(data["names"], data["meshes"], data["spread"])
    else:
        with np.load(args.faces / "faces.npz") as data:
            count = len(data["name"])
            labels = Labels(data["name"], data["mesh468"].astype(np.float32), np.zeros(count, np.float32))
    return labels, taught_and_kept_out(labels)


def views_of(args: argparse.Namespace, *, validation: bool) -> tuple[Views, np.ndarray]:
    """For training or kept out, and which glasses each person wears. The views are rendered once, or opened from
    ``--views``, where the landmark training left them."""
    labels, (taught, kept_out) = people_of(args)
    people = kept_out if validation else taught
    folder = (args.views or args.out) / ("views-validation" if validation else "views-train")
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
    also_fast(parser)
    parser.add_argument("--clips", type=Path, nargs="*", default=[], help="clips to cut real hands from")
    parser.add_argument("--threads", type=int, default=1)
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
    train(args, device, Maker(views, hands, worn), held_out(kept_out, hands, theirs))


if __name__ == "__main__":
    main()
