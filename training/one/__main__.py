"""Train the generator ``one``.

    python -m training.one --minutes 80 --faces DIR --teacher FILE --recognition CHECKPOINT --landmarks CHECKPOINT
                           --out DIR

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
``--cache``: the folder with the labels and views of ``training.landmarks``, made there where they are missing.
``--recognition``, ``--landmarks``: checkpoints of those two trainings, whose networks look on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from training.landmarks.__main__ import WORST_SPREAD
from training.landmarks.faces import is_validation, load_or_label
from training.landmarks.pictures import curves
from training.landmarks.views import build
from training.one.batches import Draws, augmented, gathered
from training.one.losses import mended, psnr
from training.one.network import One
from training.one.pairs import Pairs, prepare
from training.one.pictures import contact_sheet
from training.one.run import Run
from training.one.watchers import Watchers
from training.people import is_usable

CHECKPOINT = "checkpoint.pt"
REPORT_S, LOOK_S = 20, 300


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.one", description=__doc__)
    parser.add_argument("--minutes", type=float, required=True, help="training time, earlier runs included")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--faces", type=Path, required=True, help="folder with faces.npz and its pictures")
    parser.add_argument("--teacher", type=Path, required=True, help="facemesh.onnx")
    parser.add_argument("--recognition", type=Path, required=True, help="checkpoint of training.recognition")
    parser.add_argument("--landmarks", type=Path, required=True, help="checkpoint of training.landmarks")
    parser.add_argument("--out", type=Path, required=True, help="pairs, checkpoint, plots, sheets")
    parser.add_argument("--cache", type=Path, help="labels and views; default: --out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--same", type=int, default=20, help="pairs of one person per batch")
    parser.add_argument("--cross", type=int, default=12, help="pairs of two people per batch")
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--shards", type=int, default=16, help="files of 510 pairs to prepare")
    parser.add_argument(
        "--half", action=argparse.BooleanOptionalAction, help="compute in bfloat16; default: on CUDA only"
    )
    return parser.parse_args()


def main() -> None:
    args = arguments()
    cv2.setNumThreads(1)
    torch.set_num_threads(args.threads)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    args.half = device == "cuda" if args.half is None else args.half
    args.out.mkdir(parents=True, exist_ok=True)
    cache = args.cache or args.out
    labels = load_or_label(args.faces, args.teacher, cache / "labels.npz")
    good = (labels.spread < WORST_SPREAD) & np.array([is_usable(str(name)) for name in labels.names])
    kept_out = np.array([is_validation(str(name)) for name in labels.names])
    taught = build(args.faces, labels, np.flatnonzero(good & ~kept_out), 6, cache / "views-train")
    others = build(args.faces, labels, np.flatnonzero(good & kept_out), 3, cache / "views-validation")
    hard = prepare(others, args.out / "pairs-hard", 1, 9, count=96, hard=True)
    trial = prepare(others, args.out / "pairs-validation", 1, 8, count=240)
    pairs = prepare(taught, args.out / "pairs-train", args.shards, 1)
    watchers = Watchers(args.recognition, args.landmarks, device)
    train(
        args, device, pairs, watchers, watchers.people(taught), Trial(trial, hard, watchers, watchers.people(others))
    )


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
    args: argparse.Namespace, device: str, pairs: Pairs, watchers: Watchers, people: Tensor, trial: Trial
) -> None:
    run = Run(device, args.rate)
    path, budget = args.out / CHECKPOINT, 60 * args.minutes
    if path.exists():
        run.load(path)
    progress = run.progress
    draws, dice = Draws(pairs, progress.step), torch.Generator().manual_seed(progress.step)
    sums: dict[str, list[float]] = {}
    last, next_report, next_look = time.perf_counter(), progress.seconds + REPORT_S, progress.seconds + LOOK_S
    while progress.seconds < budget:
        share = progress.seconds / budget
        batch = augmented(gathered(pairs, draws.rows(args.same, args.cross), device), dice)
        terms = run.step(batch, watchers, people, share, dice, args.half)
        for name, value in terms.items():
            sums.setdefault(name, []).append(float(value.detach()))
        now = time.perf_counter()
        progress.seconds, last = progress.seconds + now - last, now
        if progress.seconds >= next_report:
            next_report = progress.seconds + REPORT_S
            report(run, sums, args)
            sums = {}
        if progress.seconds >= next_look:
            next_look = progress.seconds + LOOK_S
            look_at(args.out, run, trial, device)
            run.save(path)
            last = time.perf_counter()
    look_at(args.out, run, trial, device)
    run.save(path)


def report(run: Run, sums: dict[str, list[float]], args: argparse.Namespace) -> None:
    progress = run.progress
    means = {name: float(np.mean(values)) for name, values in sums.items()}
    progress.history.append({"minutes": progress.seconds / 60, "step": progress.step, **means})
    text = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
    speed = (args.same + args.cross) * max(len(values) for values in sums.values()) / REPORT_S
    left = args.minutes - progress.seconds / 60
    print(f"step {progress.step}  {text}  {speed:.0f}/s  {left:.1f} min left", flush=True)


def look_at(out: Path, run: Run, trial: Trial, device: str) -> None:
    """Figures, curves and the sheet; every sheet is kept under its minute, too."""
    progress = run.progress
    figures = trial.figures(run.shadow, device)
    print("held out: " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)
    progress.history.append({"minutes": progress.seconds / 60, "step": progress.step, **figures})
    (out / "history.json").write_text(json.dumps(progress.history))
    curves(progress.history, out / "curves.png")
    contact_sheet(run.shadow, trial.hard, out / f"contact-{progress.seconds / 60:04.0f}.png", device)


if __name__ == "__main__":
    main()
