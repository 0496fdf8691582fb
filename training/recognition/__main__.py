"""Train the recognition network.

    python -m training.recognition --minutes 25 --faces DIR --teacher FILE --out DIR

Stops after the given minutes, counted over all runs; run it again to go on from the last checkpoint. ``--cache``: the
folder with the labels and views of ``training.landmarks``, which are made there where they are missing.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from training.landmarks.faces import Labels, load_or_label, taught_and_kept_out
from training.landmarks.network import to_input
from training.landmarks.views import Views, build
from training.recognition.evaluate import separation
from training.recognition.network import Deployed, RecognitionNetwork, losses
from training.recognition.samples import PairSampler
from training.under_way import (
    CHECKPOINT,
    average,
    device_for,
    learning_rate,
    parser_of,
    set_rate,
    stand_back,
    steps_averaged,
)

VIEWS = 6
LEAST_VARIANCE = 3e-4
"""Added to the variance along each axis of dlib's embeddings before it is divided by: the last ones are noise."""


class Stream(IterableDataset[tuple[Any, ...]]):
    """Batches for a DataLoader's worker; every run draws others."""

    def __init__(self, views: Views, people: int, seed: int) -> None:
        self._views, self._people, self._seed = views, people, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        seed = self._seed * 64 + (worker.id if worker else 0)
        for batch in PairSampler(self._views, seed).batches(self._people):
            yield torch.from_numpy(batch.crops), torch.from_numpy(batch.people)


def arguments() -> argparse.Namespace:
    parser = parser_of("training.recognition", __doc__, "checkpoint and history")
    parser.add_argument("--teacher", type=Path, required=True, help="facemesh.onnx")
    parser.add_argument("--cache", type=Path, help="labels and views; default: --out")
    parser.add_argument("--people", type=int, default=48, help="per batch; two crops each")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    return parser.parse_args()


def embeddings(faces: Path, labels: Labels) -> NDArray[np.float32]:
    """(N, 128) dlib's, centred, whitened and of unit length, in the order of ``labels``. Whitened, since a
    third of the variance lies along three axes: of 100 pairs of strangers the most alike has a cosine of 0.29 so, and
    of 0.58 as the embeddings are."""
    with np.load(faces / "faces.npz") as data:
        row = {str(name): n for n, name in enumerate(data["name"])}
        raw = data["dlib128"][[row[str(name)] for name in labels.names]].astype(np.float32)
    centred = raw - raw.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(centred.T))
    white = centred @ (axes / np.sqrt(variances + LEAST_VARIANCE))
    return np.asarray(white / np.linalg.norm(white, axis=1, keepdims=True), np.float32)


def main() -> None:
    args = arguments()
    cv2.setNumThreads(1)
    torch.set_num_threads(2)
    device = device_for(args.device)
    args.out.mkdir(parents=True, exist_ok=True)
    cache = args.cache or args.out
    labels = load_or_label(args.faces, args.teacher, cache / "labels.npz")
    taught, others = taught_and_kept_out(labels)
    views = build(args.faces, labels, taught, VIEWS, cache / "views-train")
    strangers = build(args.faces, labels, others, VIEWS, args.out / "views-strangers")
    wanted = torch.from_numpy(embeddings(args.faces, labels)[taught]).to(device)
    train(args, device, views, strangers, wanted)


def train(args: argparse.Namespace, device: str, views: Views, strangers: Views, wanted: Tensor) -> None:
    network = RecognitionNetwork().to(device, memory_format=torch.channels_last)
    shadow = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), args.rate, betas=(0.9, 0.99), weight_decay=5e-2)
    path, step, seconds = args.out / CHECKPOINT, 0, 0.0
    history: list[dict[str, float]] = []
    if path.exists():
        state = torch.load(path, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        shadow.load_state_dict(state["shadow"])
        optimiser.load_state_dict(state["optimiser"])
        step, seconds, history = state["step"], state["seconds"], state["history"]

    def save() -> None:
        figures = separation(Deployed(shadow).eval(), strangers, device)
        shadow.train()
        history.append({"minutes": seconds / 60, "step": step, **figures})
        print("strangers: " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items()), flush=True)
        models = {"network": network.state_dict(), "shadow": shadow.state_dict()}
        state = {**models, "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds, "history": history}
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)
        (args.out / "history.json").write_text(json.dumps(history))

    workers = 1 if device == "cpu" else 12
    stream = iter(
        DataLoader(
            Stream(views, args.people, step),
            batch_size=None,
            num_workers=workers,
            worker_init_fn=stand_back if workers == 1 else None,
        )
    )
    sums: dict[str, float] = {}
    last, next_report, next_save, counted = time.perf_counter(), seconds + 20, seconds + 240, 0
    while seconds < 60 * args.minutes:
        share = seconds / (60 * args.minutes)
        crops, people = next(stream)
        inputs = to_input(crops.to(device)).contiguous(memory_format=torch.channels_last)
        terms = losses(network(inputs), wanted[people.to(device)])
        set_rate(optimiser, learning_rate(share, step, args.rate))
        optimiser.zero_grad(set_to_none=True)
        (terms["teacher"] + 0.5 * terms["apart"]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average(shadow, network, step, steps_averaged(share))
        step, counted = step + 1, counted + 1
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        now = time.perf_counter()
        seconds, last = seconds + now - last, now
        if seconds >= next_report:
            means = "  ".join(f"{name} {value / counted:.4f}" for name, value in sums.items())
            print(f"step {step}  {means}  {counted * 2 * args.people / 20:.0f}/s", flush=True)
            sums, counted, next_report = {}, 0, seconds + 20
        if seconds >= next_save:
            next_save = seconds + 240
            save()
            last = time.perf_counter()
    save()


if __name__ == "__main__":
    main()
