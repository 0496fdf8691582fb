"""Train the generator ``one``.

    python -m training.one --minutes 80 --faces DIR --teacher FILE --out DIR

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
Pairs are made by ``--makers`` processes before and while it trains; training begins with ``--least`` files of them.
``--cache``: the folder with the labels and views of ``training.landmarks``, made there where they are missing.
``--recognition``, ``--landmarks``: the networks that look on; those that ship where they are not given.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import cv2
import torch

from training.landmarks.faces import load_or_label, taught_and_kept_out
from training.landmarks.views import build
from training.one.loop import work
from training.one.making import making
from training.one.pairs import prepare
from training.one.together import spread
from training.one.watchers import Watchers
from training.under_way import device_for, parser_of

ASSETS = Path(__file__).parents[2] / "rtswap" / "assets"


def arguments() -> argparse.Namespace:
    parser = parser_of("training.one", __doc__, "pairs, checkpoint, plots, sheets")
    parser.add_argument("--teacher", type=Path, required=True, help="facemesh.onnx")
    parser.add_argument("--recognition", type=Path, default=ASSETS / "recognition.onnx")
    parser.add_argument("--landmarks", type=Path, default=ASSETS / "landmarks.onnx")
    parser.add_argument("--begin-from", type=Path, help="folder of exported networks to begin with: rtswap/assets")
    parser.add_argument("--cache", type=Path, help="labels and views; default: --out")
    parser.add_argument("--threads", type=int, default=2, help="per process")
    parser.add_argument("--workers", type=int, default=1, help="processes that share each step")
    parser.add_argument(
        "--size", type=int, choices=(128, 256), default=128, help="256: the finer level of one-256 alone"
    )
    parser.add_argument("--true", type=int, default=24, help="pairs with a truth per batch")
    parser.add_argument("--cross", type=int, default=8, help="pairs of two people's photos, without one, per batch")
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--settled", type=float, default=0.45, help="share of the time without the critic")
    parser.add_argument(
        "--until", type=float, help="seconds since 1970 by which all is written, whatever --minutes says"
    )
    parser.add_argument("--makers", type=int, default=2, help="processes that make pairs")
    parser.add_argument("--shards", type=int, default=48, help="files of 170 pairs to make")
    parser.add_argument("--least", type=int, default=48, help="files to begin with")
    parser.add_argument(
        "--most", type=int, default=100_000, help="pairs in the device's memory; each takes 0.3 MB, of 256 px 1.1 MB"
    )
    parser.add_argument(
        "--half", action=argparse.BooleanOptionalAction, help="compute in bfloat16; default: on CUDA only"
    )
    return parser.parse_args()


def main() -> None:
    args = arguments()
    cv2.setNumThreads(1)
    torch.set_num_threads(args.threads)
    device = device_for(args.device)
    args.half = device == "cuda" if args.half is None else args.half
    args.out.mkdir(parents=True, exist_ok=True)
    cache = args.cache or args.out
    labels = load_or_label(args.faces, args.teacher, cache / "labels.npz")
    known, kept_out = taught_and_kept_out(labels)
    taught = build(args.faces, labels, known, 6, cache / "views-train")
    others = build(args.faces, labels, kept_out, 3, cache / "views-validation")
    train, hard, trial = (args.out / f"pairs-{name}" for name in ("train", "hard", "validation"))
    made = partial(prepare, size=args.size)
    jobs = [
        partial(made, others, hard, [0], 9, count=96, hard=True),
        partial(made, others, trial, [0], 8, count=240),
        *(partial(made, taught, train, range(k, args.shards, args.makers), 1) for k in range(args.makers)),
    ]
    with making(jobs, {train: min(args.least, args.shards), hard: 1, trial: 1}):
        watchers = Watchers(args.recognition, args.landmarks, device)
        spread(partial(work, args, device, watchers.people(taught), watchers.people(others)), args.workers)


if __name__ == "__main__":
    main()
