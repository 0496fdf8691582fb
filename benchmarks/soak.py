"""Check that memory does not grow: play the 720p clip as a live source at 30 fps and record the resident set size.

    python benchmarks/soak.py --minutes 10 --json soak.json

Growth is the median of the last minute's samples minus that of the second minute's; the first minute is warm-up.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from results_file import tell

from rtswap.app.config import Config
from rtswap.commands.bench.machine import machine
from rtswap.commands.bench.rig import Rig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rig = Rig(Config(), on_event=print)
    images = rig.images((1280, 720), faces=1, face_px=300)
    clip_mb = sum(image.nbytes for image in images) / 1e6
    samples: list[tuple[float, float]] = []
    done = threading.Event()

    def watch() -> None:
        process, began = psutil.Process(), time.perf_counter()
        while not done.wait(1.0):
            samples.append((time.perf_counter() - began, process.memory_info().rss / 1e6))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    summary = rig.play(images, fps=30, seconds=arguments.minutes * 60).summary()
    done.set()
    watcher.join()
    at, rss = (np.array(column) for column in zip(*samples, strict=True))
    unit = arguments.minutes * 6
    early, late = (float(np.median(rss[part])) for part in ((at > unit) & (at <= 2 * unit), at > at[-1] - unit))
    minutes = [np.median(rss[at // 60 == minute]) for minute in range(int(at[-1] // 60))]
    figures = {
        "command": f"python benchmarks/soak.py --minutes {arguments.minutes:g}",
        "frames": summary["frames"],
        "rss_mb_early": round(early, 1),
        "rss_mb_late": round(late, 1),
        "growth_mb": round(late - early, 2),
        "rss_mb_by_minute": [round(float(mb), 1) for mb in minutes],
        "peak_rss_mb": round(float(rss.max()), 1),
        "of_which_clip_mb": round(clip_mb, 1),
        "frame_age_ms": summary["frame_age_ms"],
        "machine": machine(),
    }
    tell(figures, arguments.json)


if __name__ == "__main__":
    main()
