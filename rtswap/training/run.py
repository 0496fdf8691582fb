"""One training, from facesets to the file that is played. Imports torch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import torch

from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.core.files import alone_in
from rtswap.training.crowd import load_crowd
from rtswap.training.dfm import write_dfm
from rtswap.training.facesets import load_people
from rtswap.training.known_faces import FACES, compare_faces, keep_faces
from rtswap.training.spec import RecipeSpec
from rtswap.training.system_file import write_system
from rtswap.training.trainer import CHECKPOINT, CURVES, HISTORY, Listener, Trainer, contact_sheet
from rtswap.training.workers import watch_workers


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What is trained, on what, for how long."""

    spec: RecipeSpec
    data: tuple[Path, ...]
    """Facesets. Of a pair: the source's, then the target's; one that has both people: twice the same."""
    people: tuple[int | None, ...]
    """Of a pair: number of the person in each faceset; None: everybody in it."""
    out: Path
    """Folder of checkpoint, history, curves and sheets."""
    file: Path
    """The file to write in the end."""
    minutes: float
    """Of training over all runs; 0: only write the file."""
    device: str
    """``auto``, ``cpu`` or ``cuda``."""
    options: Mapping[str, Any]
    """The recipe's own options, and those of every training: batch, rate, threads, half, seed, workers, direction."""


def train(job: TrainJob, listener: Listener) -> dict[str, Any]:
    """Train until the time is up or Ctrl-C is pressed, then write the file. Returns the figures of the run.

    Raises UsageError, InputError, OutputError, ModelError, EngineError. What was learnt until then lies in the
    checkpoint.
    """
    recipe_class = job.spec.load()
    refuse_losses(job)
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
    args.out, args.data = job.out, job.data
    listener.event("reading the faces")
    learnt, counts = LOADED[job.spec.kind](job, args, listener.event)
    listener.event(" and ".join(counts))
    try:
        job.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {job.out}", got=reason(error), do="Choose another --out.") from None
    # Two would take turns in replacing the checkpoint; of one that runs the file may be written meanwhile.
    with alone_in(job.out) if job.minutes else nullcontext(), watch_workers():
        if job.minutes == 0 and not (job.out / CHECKPOINT).exists():
            raise UsageError(f"there is no checkpoint in {job.out}", do="Train first: give --minutes above 0.")
        pair = job.spec.kind == "pair"
        if pair and job.minutes:
            compare_faces(job.out, args.pictures, listener.event)
        recipe = recipe_class(args, *learnt)
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
        if pair and job.minutes:
            keep_faces(job.out, args.pictures)
        off = WRITTEN[job.spec.kind](job, args, recipe)
    progress = trainer.progress
    trials = [row for row in progress.history if not row.keys() & recipe.weights.keys()]
    return {
        "recipe": job.spec.name,
        "minutes": round(progress.seconds / 60, 2),
        "steps": progress.step,
        "samples": progress.step * args.batch,
        "stopped": stopped,
        "setbacks": progress.setbacks,
        "held_out": trials[-1] if trials else {},
        "file": str(job.file),
        "largest_difference_from_torch": off,
        "folder": str(job.out),
    }


def refuse_losses(job: TrainJob) -> None:
    """Raise UsageError if a training that does not go on with another one would replace files."""
    if not job.minutes or (job.out / CHECKPOINT).exists():
        return
    written = job.file, job.out / FACES, job.out / HISTORY, job.out / CURVES, contact_sheet(job.out, 0)
    there = next((path for path in written if os.path.lexists(path)), None)
    if there is not None:
        raise UsageError(
            f"{there} already exists, and no training to go on with", do="Give another --out, or remove it."
        )


def _load_pair(
    job: TrainJob, args: argparse.Namespace, tell: Callable[[str], None]
) -> tuple[Sequence[Any], list[str]]:
    people, args.pictures, args.template = load_people(job.data, job.people, args.resolution, tell)
    return people, [f"{len(one)} faces of the {role}" for one, role in zip(people, ("source", "target"), strict=True)]


def _load_one_shot(
    job: TrainJob, args: argparse.Namespace, tell: Callable[[str], None]
) -> tuple[Sequence[Any], list[str]]:
    crowd, args.template = load_crowd(job.data, job.spec.faces_px(args))
    return (crowd,), [f"{len(crowd)} faces of {len(set(crowd.people.tolist()))} people"]


def _write_pair(job: TrainJob, args: argparse.Namespace, recipe: Any) -> float:
    back = args.direction == "back"
    return write_dfm(
        recipe.shadow, args.resolution, job.file, template=args.template, recipe=job.spec.name, back=back
    )


def _write_one_shot(job: TrainJob, args: argparse.Namespace, recipe: Any) -> float:
    return write_system(recipe.graphs(), job.file, system=job.spec.name, template=args.template)


LOADED = MappingProxyType({"pair": _load_pair, "one-shot": _load_one_shot})
WRITTEN = MappingProxyType({"pair": _write_pair, "one-shot": _write_one_shot})


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("no GPU that PyTorch can use", expected="an NVIDIA GPU", do="Give --device cpu.")
    return name


def _halves(device: str) -> bool:
    """Whether bfloat16 is faster here: on GPUs, and on CPUs with AMX or AVX-512 BF16."""
    return device == "cuda" or torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
