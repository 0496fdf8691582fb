"""Measure the watermark: robustness, cost, effect on quality, and false positives.

    python benchmarks/marks.py [--quick] [--only PART...] [--clips FOLDER...] [--json FILE] [--picture FILE]

PARTS: ``cost``, ``ways``, ``curves``, ``chance``, ``picture``. Each adds its figures to the JSON when it is done, so
that a run can be interrupted and parts can be repeated. ``--clips``: folders with your own clips and images, in
addition to the personas, scikit-image's photographs and generated content. 15 minutes on an idle core, 2 with
``--quick``.

``ways``: clips of 2 s are marked, processed (marks_steps.py) and read by rtswap's own reader, each as one window.
Without a codec only every fourth frame is read, which makes it harder. ``found``: share of the windows in which the
mark is found; ``read``: with the right payload; ``wrong``: with a wrong one.
``chance``: scores of unmarked windows. Each scene gives four windows, rotated by quarter turns; the pattern and its
mirror image are not rotated, so their scores are as independent as those of two scenes. Above ``from_score`` (the
highest 2 %) P(score > z) is fitted as exp(-b (z^2 - u^2) / 2), as of sums of random phasors, and, more cautiously, as
exp(-(z - u) / m); the latter is extrapolated to the threshold with m raised by two standard errors.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import marks_clips
import marks_content
import marks_picture
import marks_steps
import numpy as np
from marks_steps import Frames, Step

from rtswap.commands.bench.machine import machine
from rtswap.disclosure.watermark import Payload, Watermark
from rtswap.disclosure.watermark_reader import Reading, WatermarkReader
from rtswap.disclosure.watermark_search import FALSE_POSITIVES, false_positive

ROOT = Path(__file__).resolve().parents[1]
PAYLOAD = Payload((0, 6), month=10)
THRESHOLD = next(z for z in np.arange(5, 12, 0.001) if false_positive(float(z)) <= FALSE_POSITIVES)
FPS = marks_steps.FPS
BIT_RATES, CALL_RATES = (150, 300, 600, 1000, 2000), (100, 200, 400, 600, 1000)
CRFS, SCALES = (23, 28, 33, 38), (0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
CROPS, WINDOWS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4), (1, 3, 8, 15, 30, 60)
Row = dict[str, Any]


def marked(frames: Frames) -> Frames:
    mark, copies = Watermark(PAYLOAD), [frame.copy() for frame in frames]
    for copy in copies:
        mark.embed(copy)
    return copies


def read(frames: Frames) -> Reading:
    """Read all frames as one window."""
    reader = WatermarkReader(window_s=1000)
    for index, frame in enumerate(frames):
        reader.add(frame, index / FPS)
    return reader.finish()[0]


def row(readings: list[Reading]) -> Row:
    scores = np.array([reading.score for reading in readings])
    right = [reading.payload == PAYLOAD for reading in readings]
    wrong = [reading.payload is not None and reading.payload != PAYLOAD for reading in readings]
    return {
        "windows": len(readings),
        "found": round(float(np.mean([reading.present for reading in readings])), 4),
        "read": round(float(np.mean(right)), 4),
        "wrong": int(sum(wrong)),
        "score_min": round(float(scores.min()), 2),
        "score_p5": round(float(np.quantile(scores, 0.05)), 2),
        "score_median": round(float(np.median(scores)), 2),
    }


Gone = tuple[str, tuple[float, float], dict[str, Reading]]
"""A scene's name, PSNR and SSIM of its marking, and the result of reading after each way."""


def send(scene: marks_clips.Scene) -> Gone:
    frames = marked(scene.frames)
    return (
        scene.name,
        quality(scene.frames, frames),
        {name: read(gone) for name, gone in marks_steps.send(frames)},
    )


def ways(folders: list[Path], renditions: int) -> Row:
    """Return each way's row, and the effect of the mark on quality; ``hard`` scenes separately."""
    done = []
    for scene in marks_clips.scenes(folders, renditions):
        done.append(send(scene))
        print(scene.name, "psnr {:.1f} ssim {:.4f}".format(*done[-1][1]), flush=True)
    return ways_summed(done, [send(scene) for scene in marks_clips.hard()])


def ways_summed(done: Sequence[Gone], hard: Sequence[Gone]) -> Row:
    psnr, ssim = (np.array([entry[1][i] for entry in done]) for i in (0, 1))
    return {
        "ways": {name: row([entry[2][name] for entry in done]) for name in done[0][2]},
        "scenes": [entry[0] for entry in done],
        "lost": [
            {"scene": scene, "way": name, "score": round(reading.score, 2)}
            for scene, _, readings in done
            for name, reading in readings.items()
            if not reading.present
        ],
        "hard": {
            scene: {name: round(reading.score, 2) for name, reading in readings.items()}
            for scene, _, readings in hard
        },
        "quality": {
            "scenes": len(done),
            "psnr_db_min": round(float(psnr.min()), 2),
            "psnr_db_median": round(float(np.median(psnr)), 2),
            "psnr_least_scene": done[int(psnr.argmin())][0],
            "ssim_min": round(float(ssim.min()), 5),
            "ssim_median": round(float(np.median(ssim)), 5),
            "ssim_least_scene": done[int(ssim.argmin())][0],
        },
    }


def quality(before: Frames, after: Frames) -> tuple[float, float]:
    """Return PSNR and SSIM (scikit-image, 7x7, per channel) of frame 30."""
    from skimage.metrics import structural_similarity

    a, b = before[len(before) // 2], after[len(after) // 2]
    return float(cv2.PSNR(a, b)), float(structural_similarity(a, b, channel_axis=2))


def curves(folders: list[Path], every: int) -> Row:
    """Return the share found and the score as a function of one parameter at a time, on every n-th scene."""
    found: dict[str, dict[float, list[Reading]]] = {}
    for index, scene in enumerate(marks_clips.scenes(folders, 1)):
        if index % every == 0:
            for kind, value, reading in along(scene):
                found.setdefault(kind, {}).setdefault(value, []).append(reading)
            print(scene.name, flush=True)
    return curves_summed(found)


def along(scene: marks_clips.Scene) -> Iterator[tuple[str, float, Reading]]:
    kinds: dict[str, dict[float, Step]] = {
        "h264_kbit": {rate: marks_steps.h264(b=f"{rate}k", maxrate=f"{rate}k", bufsize="1M") for rate in BIT_RATES},
        "vp8_640x360_kbit": {rate: marks_steps.vpx("libvpx", rate, marks_steps.SMALL) for rate in CALL_RATES},
        "h264_crf": {crf: marks_steps.h264(crf=str(crf)) for crf in CRFS},
        "scale": {scale: marks_steps.scale(scale) for scale in SCALES},
        "crop": {keep: marks_steps.cropped(keep) for keep in CROPS},
    }
    frames = marked(scene.frames)
    for kind, steps in kinds.items():
        for value, step in steps.items():
            given = frames if kind.startswith(("h264", "vp8")) else frames[:: marks_steps.SPARSE]
            yield kind, value, read(step(given))
    encoded = marks_steps.h264(crf="28")(frames)
    for count in WINDOWS:
        yield "window_frames_crf28", count, read(encoded[-count:])


def curves_summed(found: dict[str, dict[float, list[Reading]]]) -> Row:
    return {
        "curves": {
            kind: [{"at": value, **row(readings)} for value, readings in values.items()]
            for kind, values in found.items()
        }
    }


def score_unmarked(folders: list[Path], count: int, seed: int) -> Iterator[tuple[str, float]]:
    """Yield the content and the score of ``count`` unmarked windows."""
    real, rng = marks_content.pictures(folders), np.random.default_rng(seed)
    for _ in range(count // 4):
        kind, frames = marks_content.draw_window(rng, real)
        for turns in range(4):
            yield kind, read([np.ascontiguousarray(np.rot90(frame, turns)) for frame in frames]).score


def chance(folders: list[Path], count: int, seed: int, log: Path) -> Row:
    """Estimate the probability that an unmarked window reaches the threshold: append ``count`` scores to ``log`` and
    summarise all scores in it."""
    with log.open("a") as file:
        for kind, score in score_unmarked(folders, count, seed):
            print(kind, round(score, 5), sep="\t", file=file, flush=True)
    scores: dict[str, list[float]] = {}
    for line in log.read_text().splitlines():
        kind, score_text = line.split("\t")
        scores.setdefault(kind, []).append(float(score_text))
    return summary(scores)


def summary(scores: dict[str, list[float]]) -> Row:
    everything = np.sort(np.concatenate([np.array(values) for values in scores.values()]))
    return {
        "chance": {
            "windows": len(everything),
            "threshold": round(float(THRESHOLD), 3),
            "found": int((everything >= THRESHOLD).sum()),
            "score_median": round(float(np.median(everything)), 3),
            "score_p99": round(float(np.quantile(everything, 0.99)), 3),
            "score_max": round(float(everything[-1]), 3),
            "by_kind": {
                kind: {
                    "windows": len(values),
                    "median": round(float(np.median(values)), 3),
                    "max": round(max(values), 3),
                }
                for kind, values in sorted(scores.items())
            },
            "scores_from_5.5": [round(float(score), 3) for score in everything if score >= 5.5],
            **tail(everything),
        }
    }


def tail(scores: np.ndarray) -> Row:
    """Return the false positives per window at the threshold, extrapolated from the highest 2 %."""
    above = float(np.quantile(scores, 0.98))
    high = scores[scores > above]
    share, count = len(high) / len(scores), len(high)
    b = 2 * count / float((high**2 - above**2).sum())
    mean = float((high - above).mean()) * (1 + 2 / np.sqrt(count))
    return {
        "from_score": round(above, 3),
        "false_positives_per_window": share * float(np.exp(-b * (THRESHOLD**2 - above**2) / 2)),
        "false_positives_per_window_cautious": share * float(np.exp(-(THRESHOLD - above) / mean)),
    }


def cost() -> Row:
    """Return the milliseconds per frame on one core, in place as in the program, on successive frames of a clip."""
    figures: Row = {}
    for name, size in (("1280x720", (1280, 720)), ("1920x1080", (1920, 1080))):
        scene = next(marks_clips.drifting(1, 1)).frames[:8]
        frames = [np.asarray(cv2.resize(frame, size)) for frame in scene]
        mark, times = Watermark(PAYLOAD), []
        for index in range(240):
            frame = frames[index % len(frames)].copy()
            began = time.perf_counter()
            mark.embed(frame)
            times.append(time.perf_counter() - began)
        figures[name] = {
            "min_ms": round(min(times[8:]) * 1000, 3),
            "median_ms": round(float(np.median(times[8:])) * 1000, 3),
        }
    return {"cost": figures, "machine": machine()}


def picture(path: Path, figures: Row) -> Row:
    cv2.imwrite(str(path), marks_picture.draw(figures, float(THRESHOLD)))
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=["cost", "ways", "curves", "chance", "picture"])
    parser.add_argument("--clips", nargs="*", type=Path, default=[])
    parser.add_argument("--windows", type=int, default=10_000, help="unmarked windows, besides those in --log")
    parser.add_argument(
        "--seed",
        type=int,
        default=11,
        help="seed of the unmarked windows: a new one for each run into a log",
    )
    parser.add_argument("--log", type=Path, help="file with the scores of unmarked windows of all runs")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/marks.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/marks.png")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    log = arguments.log or Path(tempfile.mkdtemp()) / "scores.tsv"
    figures: Row = json.loads(arguments.json.read_text()) if arguments.only and arguments.json.exists() else {}
    parts: dict[str, Callable[[], Row]] = {
        "cost": cost,
        "ways": lambda: ways(arguments.clips, 0 if arguments.quick else 2),
        "curves": lambda: curves(arguments.clips, 8 if arguments.quick else 3),
        "chance": lambda: chance(arguments.clips, 400 if arguments.quick else arguments.windows, arguments.seed, log),
        "picture": lambda: picture(arguments.picture, figures),
    }

    def save(more: Row) -> None:
        figures.update(more)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")

    chosen: Iterable[str] = arguments.only or parts
    for name in chosen:
        save(parts[name]())
    print(json.dumps({name: value for name, value in figures.items() if name != "machine"}, indent=1))


if __name__ == "__main__":
    main()
