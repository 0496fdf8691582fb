"""Check that latency does not grow when frames arrive at twice the rate that can be processed.

    python benchmarks/overload.py --seconds 60 --json overload.json

Measures the machine's frame rate, plays the clip at twice that rate as a live source, and compares the frame age's
p95 in the last sixth of the run with that in the first. It must not grow by more than 20 %. The latency budget is
off, so that only the mailboxes limit the latency.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from results_file import tell

from rtswap.app.config import Config
from rtswap.app.sections import BudgetConfig
from rtswap.commands.bench.machine import machine
from rtswap.commands.bench.rig import ClipInput, Rig
from rtswap.core.types import MarkedImage
from rtswap.runtime.metrics import Metrics


class Ages:
    """An output that records the age and the number of every frame."""

    name = "ages"

    def __init__(self, clock) -> None:
        self.clock = clock
        self.rows: list[tuple[float, float, int]] = []

    def send(self, image: MarkedImage) -> None:
        now = self.clock()
        self.rows.append((now, now - image.captured_at, image.index))

    def close(self) -> None:
        """Do nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    config = replace(Config(), budget=BudgetConfig(target_s=0.0))
    rig = Rig(config, on_event=print)
    images = rig.images((1280, 720), faces=1, face_px=300)
    possible = rig.play(images, fps=float("inf"), seconds=min(5.0, arguments.seconds)).summary()["fps"]
    ages = Ages(time.perf_counter)
    source = ClipInput(images, fps=2 * possible, seconds=arguments.seconds)
    session = rig.program().session(source, [ages], metrics=Metrics())
    session.run()
    at, age, index = (np.array(column) for column in zip(*ages.rows, strict=True))
    at -= at[0]
    share = arguments.seconds / 6
    first, last = (float(np.percentile(age[part], 95)) for part in (at < share, at > at[-1] - share))
    figures = {
        "command": f"python benchmarks/overload.py --seconds {arguments.seconds:g}",
        "possible_fps": possible,
        "input_fps": round(2 * possible, 2),
        "frames_out": len(at),
        "dropped": session.dropped,
        "in_order": bool((np.diff(index) > 0).all()),
        "frame_age_p95_ms_first": round(first * 1000, 2),
        "frame_age_p95_ms_last": round(last * 1000, 2),
        "growth": round(last / first, 3),
        "machine": machine(),
    }
    tell(figures, arguments.json)


if __name__ == "__main__":
    main()
