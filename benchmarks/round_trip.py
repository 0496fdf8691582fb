"""How long a picture takes from a browser's camera to the swapped picture in the browser, in the studio's own page.

    make test-studio LONG_RUN_S=0   # once: Chromium and Playwright
    PYTHONPATH=build/browser python benchmarks/round_trip.py --seconds 20 --runs 5

The page's camera is a canvas of 1280x720 at 30 fps: somebody who does not exist, moving a little, with the number of
each frame in black and white squares. A squares' number that comes back was drawn so many milliseconds ago. Browser,
studio and its encoders share the cores of this machine.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from results_file import tell

from rtswap.commands.bench.machine import machine
from rtswap.vision.caller import caller_layers

PORT = 7871
WARM_S = 8.0
PAGE = """
([still, width, height, fps]) => {
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d", { alpha: false });
  Object.assign(canvas, { width, height });
  const image = new Image(), drawn = new Float64Array(4096), cell = 24, bits = 24;
  image.src = "data:image/jpeg;base64," + still;
  let number = 0;
  setInterval(() => {
    number = (number + 1) % 4096;
    context.drawImage(image, Math.round(4 * Math.sin(number / 20)) - 4, Math.round(3 * Math.sin(number / 31)) - 4);
    for (let at = 0; at < bits; at++) {  // 12 bits, then their opposites
      const bit = (number >> at % 12) & 1;
      context.fillStyle = (at < 12 ? bit : !bit) ? "#eee" : "#111";
      context.fillRect(width - (bits - at) * cell - 40, 40, cell, cell);
    }
    drawn[number] = performance.now();
  }, 1000 / fps);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(fps);
  const small = document.createElement("canvas"), pixels = small.getContext("2d", { willReadFrequently: true });
  Object.assign(small, { width: bits, height: 1 });
  window.trips = [];
  window.watch = (live) => live.requestVideoFrameCallback(function seen(now, of) {
    const share = of.width / width;
    pixels.drawImage(live, (width - bits * cell - 40) * share, (40 + cell * .25) * share, bits * cell * share,
      cell * .5 * share, 0, 0, bits, 1);
    const row = pixels.getImageData(0, 0, bits, 1).data;
    let found = 0, whole = true;
    for (let at = 0; at < 12; at++) {
      const bit = row[4 * at] > 127;
      whole &&= bit !== row[4 * (at + 12)] > 127;
      found |= bit << at;
    }
    if (whole) window.trips.push([now, now - drawn[found], of.width]);
    live.requestVideoFrameCallback(seen);
  });
}
"""


def measure(seconds: float, fps: float, size: tuple[int, int]) -> dict[str, Any]:
    """Start a studio and a browser, and measure for some seconds."""
    from playwright.sync_api import sync_playwright

    still = cv2.resize(caller_layers().still(), (size[0] + 8, size[1] + 8), interpolation=cv2.INTER_AREA)
    jpeg = base64.b64encode(cv2.imencode(".jpg", still, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()).decode()
    command = [sys.executable, "-m", "rtswap", "studio", "--port", str(PORT), "-s", "persona:vera"]
    studio = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert studio.stdout is not None
        link = next(word for line in studio.stdout for word in line.split() if word.startswith("http"))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("RTSWAP_CHROMIUM") or shutil.which("chromium"),
                args=["--no-sandbox", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"],
            )
            page = browser.new_page(viewport={"width": 1280, "height": 900}, bypass_csp=True)
            page.goto(link)
            page.locator(".source").first.wait_for()
            page.evaluate(PAGE, [jpeg, *size, fps])
            page.locator("#go").click()
            page.wait_for_function("document.getElementById('live').videoWidth > 0", timeout=60_000)
            page.evaluate("watch(document.getElementById('live'))")
            time.sleep(WARM_S)
            page.evaluate("trips.length = 0")
            time.sleep(seconds)
            rows = np.array(page.evaluate("trips"))
            browser.close()
    finally:
        studio.terminate()
        studio.wait(20)
    trip = rows[:, 1]
    return {
        "median_ms": round(float(np.median(trip)), 1),
        "p95_ms": round(float(np.percentile(trip, 95)), 1),
        "fps": round(float((len(trip) - 1) / (rows[-1, 0] - rows[0, 0]) * 1000), 1),
        "widths": sorted({int(width) for width in rows[:, 2]}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    runs = []
    for _ in range(arguments.runs):
        runs.append(measure(arguments.seconds, arguments.fps, (width, height)))
        print(runs[-1], flush=True)
    tell({"machine": machine(), "size": arguments.size, "camera_fps": arguments.fps, "runs": runs}, arguments.json)


if __name__ == "__main__":
    main()
