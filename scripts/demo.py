"""``make demo``: swap a face in a generated clip, using only the built-in personas.

Renders a clip of a caller who does not exist, in a room, with sound; swaps in a persona's face through the command
line; and prints the paths of the clip and the comparison image, and the figures of the run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from importlib import resources
from pathlib import Path

import av
import cv2
import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import open_models
from rtswap.source.portrait import find_landmarks
from rtswap.vision.caller import Caller, call, caller_layers, conversation

FPS, SECONDS, PERSONA = 30, 6, "ada"
RATE = 48_000


def main() -> None:
    folder = Path("demo")
    folder.mkdir(exist_ok=True)
    source = Path(str(resources.files("rtswap").joinpath(f"assets/personas/{PERSONA}.jpg")))
    before, after, picture = folder / "caller.mp4", folder / f"caller_as_{PERSONA}.mp4", folder / "before_after.png"
    print(f"1. rendering {before}: a caller who does not exist, 1280x720 ...", flush=True)
    film(before)
    command = ["--source", str(source), "--input", str(before), "--output", str(after), "--overwrite"]
    print(f"2. rtswap {' '.join(command)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "rtswap", *command, "--json"], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    figures = json.loads(done.stdout)
    side_by_side(before, after, source, picture)
    stages = {name: stage["p50"] for name, stage in figures["stages_ms"].items()}
    swapped = f"{figures['frames_with_swap']} of {figures['frames']} frames swapped"
    print(f"3. {swapped}, {figures['fps']:.0f} fps including decoding and encoding")
    print("   per frame: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in stages.items()))
    print(f"   start to first swapped frame: {figures['start_to_first_swap_s']:.1f} s")
    print(f"\nThe clip:     {after.resolve()}\nSide by side: {picture.resolve()}")
    print("Try yourself: .venv/bin/rtswap --source me.jpg --cam 0")


def film(path: Path) -> None:
    """Render the clip, with a humming tone while the mouth is open as its sound."""
    models = open_models(Config(), on_event=print)
    layers = caller_layers()
    still = layers.still()
    found = models.detector.detect(still)[0]
    caller = Caller(layers, find_landmarks(models.landmarks, still, found.keypoints))
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=FPS, options={"crf": "18", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = *caller.size, "yuv420p"
        audio = file.add_stream("aac", rate=RATE)
        for image in call(caller, fps=FPS, frames=FPS * SECONDS):
            file.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        file.mux(video.encode(None))
        for frame in hum():
            file.mux(audio.encode(frame))
        file.mux(audio.encode(None))


def hum() -> list[av.AudioFrame]:
    t = np.arange(RATE * SECONDS) / RATE
    moments = np.arange(0, SECONDS, 0.01)
    loud = np.interp(t, moments, [conversation(float(moment)).opening for moment in moments])
    voice = 2 * loud * np.sin(2 * np.pi * 190 * t + 3 * np.sin(2 * np.pi * 3 * t))
    frames = []
    for start in range(0, len(voice), 1024):
        part = voice[start : start + 1024].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([part, part]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        frames.append(frame)
    return frames


def side_by_side(before: Path, after: Path, source: Path, path: Path) -> None:
    """Write an image of two frames of both clips, with the source photo on the left."""
    moments = [round(share * FPS * SECONDS) for share in (0.1, 0.72)]
    rows = []
    for file in (before, after):
        with av.open(str(file)) as opened:
            frames = [f.to_ndarray(format="bgr24") for i, f in enumerate(opened.decode(video=0)) if i in moments]
        rows.append(np.hstack([cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA) for frame in frames]))
    photo = cv2.resize(cv2.imread(str(source)), (280, 280), interpolation=cv2.INTER_AREA)
    left = cv2.copyMakeBorder(photo, 220, 220, 0, 0, cv2.BORDER_CONSTANT, value=(24, 24, 24))
    cv2.imwrite(str(path), np.hstack([left, np.vstack(rows)]))


if __name__ == "__main__":
    main()
