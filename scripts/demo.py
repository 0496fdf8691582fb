"""``make demo``: swap a face in a generated clip, using only the built-in personas.

Renders a clip of the persona ben talking and turning his head, with sound; swaps in ada's face through the command
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
from rtswap.vision.talking_head import AnimatedHead, clip, persona

SIZE, FPS, SECONDS, FACE_PX = (1280, 720), 30, 6, 300
RATE = 48_000


def main() -> None:
    folder = Path("demo")
    folder.mkdir(exist_ok=True)
    source = Path(str(resources.files("rtswap").joinpath("assets/personas/ada.jpg")))
    before, after, picture = folder / "ben.mp4", folder / "ben_as_ada.mp4", folder / "before_after.png"
    print(f"1. rendering {before}: the persona ben, {SIZE[0]}x{SIZE[1]} ...", flush=True)
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
    """Render the clip, with a humming tone as its sound."""
    models = open_models(Config(), on_event=print)
    portrait = persona("ben")
    found = models.detector.detect(portrait)[0]
    mesh = models.landmarks.find(portrait, [found.keypoints])[0].points
    head = AnimatedHead(portrait, find_landmarks(models.landmarks, portrait, mesh), FACE_PX)
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=FPS, options={"crf": "18", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        audio = file.add_stream("aac", rate=RATE)
        for image in clip([head], SIZE, fps=FPS, frames=FPS * SECONDS):
            file.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        file.mux(video.encode(None))
        for frame in hum():
            file.mux(audio.encode(frame))
        file.mux(audio.encode(None))


def hum() -> list[av.AudioFrame]:
    t = np.arange(RATE * SECONDS) / RATE
    voice = 0.2 * np.sin(2 * np.pi * 140 * t + 3 * np.sin(2 * np.pi * 3 * t)) * ((t % 5.0) < 3.2)
    frames = []
    for start in range(0, len(voice), 1024):
        part = voice[start : start + 1024].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([part, part]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        frames.append(frame)
    return frames


def side_by_side(before: Path, after: Path, source: Path, path: Path) -> None:
    """Write an image of three frames of both clips, with the source photo on the left."""
    moments = [round(share * FPS * SECONDS) for share in (0.1, 0.45, 0.8)]
    rows = []
    for file in (before, after):
        with av.open(str(file)) as opened:
            frames = [f.to_ndarray(format="bgr24") for i, f in enumerate(opened.decode(video=0)) if i in moments]
        rows.append(np.hstack([cv2.resize(frame[:, 240:1040], (400, 360)) for frame in frames]))
    photo = cv2.resize(cv2.imread(str(source)), (360, 360), interpolation=cv2.INTER_AREA)
    left = cv2.copyMakeBorder(photo, 180, 180, 0, 0, cv2.BORDER_CONSTANT, value=(24, 24, 24))
    cv2.imwrite(str(path), np.hstack([left, np.vstack(rows)]))


if __name__ == "__main__":
    main()
