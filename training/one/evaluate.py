"""``mesh`` against ``one`` and ``one-256`` on the same pairs of people kept out of training.

    python -m training.one.evaluate --faces DIR --model FOLDER --out DIR

Sources and targets are found by the program's own eyes; half of the sources are badly lit on purpose. The judge of
identity is dlib's network, centred, which no training of ours has used (needs the extra ``identity``).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.app.config import Config
from rtswap.app.networks import Eyes, open_eyes
from rtswap.compositing.canvas.host import CpuCanvas
from rtswap.core.protocols import Embedder, SwapModel
from rtswap.core.types import AlignedFace, Image, Mask, Points, Quality, SourceIdentity
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.source.portrait import find_landmarks
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.swappers.refiner.swapper import SIZES, OneSwapModel
from rtswap.vision.geometry import keypoints_of, transform
from training.landmarks.faces import is_validation, read_picture
from training.one.lights import badly_lit
from training.people import is_usable

ROUNDS = 2
"""Each person is the source of so many pairs."""
SHOWN, ACROSS = 24, 3
BEST = Quality(max_face_px=1024)


@dataclass(frozen=True)
class Person:
    image: Image
    mesh: Points
    who: NDArray[np.float32]


@dataclass(frozen=True)
class Swapped:
    image: Image
    mask: Mask
    """As large as the picture."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.one.evaluate", description=__doc__)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="folder of what training.one.export wrote")
    parser.add_argument("--out", type=Path, required=True, help="figures.json and sheet.png")
    parser.add_argument("--people", type=int, default=200)
    args = parser.parse_args()
    eyes = open_eyes(Config(), on_event=print)
    judge = eyes.embedder()
    if judge is None:
        parser.error("the judge is missing: pip install 'rtswap[identity]'")
    models: dict[str, SwapModel] = {"mesh": MeshSwapModel()}
    for name, size in SIZES.items():
        files = [args.model / "one-128-source.onnx", args.model / f"one-{size}.onnx"]
        if all(file.exists() for file in files):
            engines = (OnnxRuntimeEngine(file, threads=1) for file in files)
            models[name] = OneSwapModel(MeshSwapModel(), *engines, size)
    names = sorted(p.name for p in args.faces.glob("*.jpg") if is_validation(p.name) and is_usable(p.name))
    names = [names[n] for n in np.random.default_rng(0).permutation(len(names))]
    people = [one for name in names[: args.people] if (one := seen(args.faces / name, eyes, judge)) is not None]
    print(f"{len(people)} people")
    figures, tiles = compared(people, models, eyes, judge)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    for name in figures["mesh"]:
        print(f"{name:>28}  " + "  ".join(f"{model} {values[name]:8.4f}" for model, values in figures.items()))
    write_sheet(tiles, args.out / "sheet.png")


def seen(path: Path, eyes: Eyes, judge: Embedder) -> Person | None:
    image = read_picture(path)
    found = eyes.photo_detector.detect(image)
    if not found:
        return None
    largest = max(found, key=lambda one: float(one.box[2] - one.box[0]))
    mesh = find_landmarks(eyes.landmarks, image, largest.keypoints)
    return Person(image, mesh, judge.embed(image, keypoints_of(mesh)))


def compared(
    people: list[Person], models: dict[str, SwapModel], eyes: Eyes, judge: Embedder
) -> tuple[dict[str, dict[str, float]], list[Image]]:
    """Figures per model, and tiles source | target | what each of ``models`` makes, of badly lit sources."""
    rng = np.random.default_rng(4)
    gallery = np.stack([person.who for person in people])
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in models}
    tiles: list[Image] = []
    for turn in range(ROUNDS):
        goals = np.roll(rng.permutation(len(people)), 1)
        for source, goal in enumerate(goals):
            if source == goal:
                continue
            photo = people[source].image
            hard = turn % 2 == 1
            if hard:
                photo = badly_lit(photo, people[source].mesh, rng)
            shown = [photo, people[goal].image]
            for name, model in models.items():
                swapper = model.bind(SourceIdentity(photo, people[source].mesh))
                result = swapped(swapper, people[goal])
                who = judge.embed(result.image, keypoints_of(people[goal].mesh))
                row = judged(result, who, people[goal], people[source])
                row["retrieval"] = float((gallery @ who).argmax() == source)
                row["hard"] = float(hard)
                rows[name].append(row)
                shown.append(result.image)
            if hard and len(tiles) < SHOWN:
                tiles.append(np.hstack(shown))
    figures = {name: averaged(found) for name, found in rows.items()}
    for name, model in models.items():
        figures[name]["self_swap_psnr"] = float(np.mean([own_psnr(model, person) for person in people[:40]]))
    return figures, tiles


def averaged(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over plain and over badly lit sources; medians of ratios."""
    out: dict[str, float] = {"pairs": float(len(rows))}
    for hard in (0.0, 1.0):
        chosen = [row for row in rows if row["hard"] == hard]
        for name in rows[0]:
            if name != "hard":
                values = [row[name] for row in chosen]
                middle = np.median(values) if name.endswith("ratio") else np.mean(values)
                out[name + ("_hard" if hard else "")] = float(middle)
    return out


def swapped(swapper, target: Person) -> Swapped:  # type: ignore[no-untyped-def]
    matrix, size = swapper.view(target.mesh, BEST.max_face_px)
    canvas = CpuCanvas(target.image.copy())
    face = AlignedFace(0, canvas.crop(matrix, size), transform(matrix, target.mesh), np.ones(468, np.float32), 0.0)
    result = swapper.swap(face, BEST)
    canvas.paste(result.crop, result.mask, matrix)
    back = cv2.warpAffine(
        result.mask, matrix, target.image.shape[1::-1], flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    )
    return Swapped(canvas.image(), np.asarray(back, np.uint8))


def judged(result: Swapped, who: NDArray[np.float32], target: Person, source: Person) -> dict[str, float]:
    """``sharpness_ratio``: variance of the Laplacian inside the mask, out / in; ``edge_ratio``: mean gradient in a
    band around the mask's outline, out / in."""
    to_source, to_target = float(who @ source.who), float(who @ target.who)
    inside = cv2.erode(result.mask, np.ones((9, 9), np.uint8)) > 240
    half = (result.mask > 100).astype(np.uint8)
    kernel = np.ones((9, 9), np.uint8)
    band = (cv2.dilate(half, kernel) - cv2.erode(half, kernel)) > 0
    greys = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) for image in (result.image, target.image)]
    sharp = [float(cv2.Laplacian(grey, cv2.CV_32F)[inside].var()) for grey in greys]
    edge = [
        float(np.hypot(cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1))[band].mean()) for g in greys
    ]
    return {
        "cosine_to_source": to_source,
        "cosine_to_target": to_target,
        "margin": to_source - to_target,
        "sharpness_ratio": sharp[0] / max(sharp[1], 1e-6),
        "edge_ratio": edge[0] / max(edge[1], 1e-6),
    }


def own_psnr(model: SwapModel, person: Person) -> float:
    """dB where the mask is full, of a face swapped with itself."""
    result = swapped(model.bind(SourceIdentity(person.image, person.mesh)), person)
    off = (result.image.astype(np.float32) - person.image)[result.mask > 240]
    return float(10 * np.log10(255**2 / max(float((off**2).mean()), 1e-6)))


def write_sheet(tiles: list[Image], path: Path) -> None:
    """Rows of tiles, three across, at 5/8 of their size."""
    small = [np.asarray(cv2.resize(tile, None, fx=0.625, fy=0.625, interpolation=cv2.INTER_AREA)) for tile in tiles]
    blank = np.full((small[0].shape[0], 8, 3), 255, np.uint8)
    small = [np.hstack([tile, blank]) for tile in small]
    small += [np.full_like(small[0], 255)] * (-len(small) % ACROSS)
    cv2.imwrite(str(path), np.vstack([np.hstack(small[i : i + ACROSS]) for i in range(0, len(small), ACROSS)]))


if __name__ == "__main__":
    main()
