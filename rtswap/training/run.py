"""One training from facesets to a DFM file. Imports torch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch

from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.training.dfm import write_dfm
from rtswap.training.facesets import load_people
from rtswap.training.spec import RecipeSpec
from rtswap.training.trainer import CHECKPOINT, Listener, Trainer


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What is trained, on what, for how long."""

    spec: RecipeSpec
    data: tuple[Path, ...]
    """Facesets: the source's, then the target's; one that has both people: twice the same."""
    people: tuple[int | None, ...]
    """Number of the person in each faceset; None: everybody in it."""
    out: Path
    """Folder of checkpoint, history, curves and sheets."""
    dfm: Path
    """The file to write in the end."""
    minutes: float
    """Of training over all runs; 0: only write the file."""
    device: str
    """``auto``, ``cpu`` or ``cuda``."""
    options: Mapping[str, Any]
    """The recipe's own options, and those of every training: batch, rate, threads, half, seed, workers, direction."""


def train(job: TrainJob, listener: Listener) -> dict[str, Any]:
    """Train until the time is up or Ctrl-C is pressed, then write the file. Returns the figures of the run.

    Raises UsageError, InputError, OutputError and ModelError. What was learnt until then lies in the checkpoint.
    """
    recipe_class: Any = job.spec.load()
    device = _device(job.device)
    args = argparse.Namespace(device=device, begin_from=None, **job.options)
    if args.half is None:
        args.half = _halves(device)
    usual = {"batch": recipe_class.batch, "rate": recipe_class.default_rate, "threads": os.cpu_count() or 1}
    for name, value in usual.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    cv2.setNumThreads(1)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    people, template = load_people(job.data, job.people, args.resolution)
    args.template = template
    counts = [f"{len(person)} faces of {name}" for person, name in zip(people, ROLES, strict=True)]
    listener.event(" and ".join(counts))
    try:
        job.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {job.out}", got=reason(error), do="Choose another --out.") from None
    if job.minutes == 0 and not (job.out / CHECKPOINT).exists():
        raise UsageError(f"there is no checkpoint in {job.out}", do="Train first: give --minutes above 0.")
    recipe = recipe_class(args, *people)
    trainer = Trainer(recipe, job.out, minutes=job.minutes, listener=listener)
    stopped = False
    try:
        if job.minutes:
            trainer.run()
        else:
            trainer.load()
    except KeyboardInterrupt:
        stopped = True
        if not trainer.progress.step:
            raise
        trainer.save()
    back = args.direction == "back"
    off = write_dfm(recipe.shadow, args.resolution, job.dfm, template=template, recipe=job.spec.name, back=back)
    progress = trainer.progress
    found = [row for row in progress.history if any("psnr" in name for name in row)]
    return {
        "recipe": job.spec.name,
        "minutes": round(progress.seconds / 60, 2),
        "steps": progress.step,
        "samples": progress.step * args.batch,
        "stopped": stopped,
        "setbacks": progress.setbacks,
        "held_out": found[-1] if found else {},
        "dfm": str(job.dfm),
        "largest_difference_from_torch": off,
        "folder": str(job.out),
    }


ROLES = ("the source", "the target")


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("no GPU that PyTorch can use", expected="an NVIDIA GPU", do="Give --device cpu.")
    return name


def _halves(device: str) -> bool:
    """Whether bfloat16 is faster here: on GPUs, and on CPUs with AMX."""
    return device == "cuda" or bool(torch.cpu._is_amx_tile_supported())
