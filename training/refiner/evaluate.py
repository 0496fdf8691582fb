"""``mesh`` against ``refiner-128`` and ``refiner-256`` on the same pairs of people kept out of training.

    python -m training.refiner.evaluate --faces DIR --model FOLDER --out DIR

Sources and targets are found by the program's own networks; half of the sources are badly lit on purpose. The
judge of identity is dlib's network, centred, which no training of ours has used (needs the extra ``identity``).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, open_models
from rtswap.commands.evaluate.pixels import edge_ratio, psnr, sharpness_ratio
from rtswap.core.protocols import Embedder, SwapModel
from rtswap.core.types import Image, Mask, Points, Quality, SourceIdentity
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.source.portrait import find_landmarks
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.swappers.refiner.swapper import SIZES, RefinerSwapModel
from rtswap.training.lights import badly_lit
from rtswap.training.pictures import read_picture, sheet
from rtswap.training.scenes import swap_face
from rtswap.vision.geometry import keypoints_of
from training.arrays import Floats
from training.landmarks.teacher import is_validation
from training.people import is_usable

ROUNDS = 2
"""Each person is the source of so many pairs."""
SHOWN, ACROSS = 24, 3
BEST = Quality(max_face_px=1024)


@dataclass(frozen=True)
class Person:
    image: Image
    mesh: Points
    who: Floats


@dataclass(frozen=True)
class Swapped:
    image: Image
    mask: Mask
    """As large as the picture."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.refiner.evaluate", description=__doc__)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="folder of what training.refiner.export wrote")
    parser.add_argument("--out", type=Path, required=True, help="figures.json and sheet.png")
    parser.add_argument("--people", type=int, default=200)
    args = parser.parse_args()
    faces = open_models(Config(), on_event=print)
    judge = faces.embedder()
    if judge is None:
        parser.error("the judge is missing: pip install 'rtswap[identity]'")
    models: dict[str, SwapModel] = {"mesh": MeshSwapModel()}
    for name, size in SIZES.items():
        files = [args.model / "refiner-128-source.onnx", args.model / f"refiner-{size}.onnx"]
        if all(file.exists() for file in files):
            engines = (OnnxRuntimeEngine(file, threads=1) for file in files)
            models[name] = RefinerSwapModel(MeshSwapModel(), *engines, size)
    names = sorted(p.name for p in args.faces.glob("*.jpg") if is_validation(p.name) and is_usable(p.name))
    names = [names[n] for n in np.random.default_rng(0).permutation(len(names))]
    people = [one for name in names[: args.people] if (one := seen(args.faces / name, faces, judge)) is not None]
    print(f"{len(people)} people")
    figures, tiles = compared(people, models, faces, judge)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    for name in figures["mesh"]:
        print(f"{name:>28}  " + "  ".join(f"{model} {values[name]:8.4f}" for model, values in figures.items()))
    cv2.imwrite(str(args.out / "sheet.png"), sheet(tiles, ACROSS, gap=13, zoom=0.625))


def seen(path: Path, faces: FaceModels, judge: Embedder) -> Person | None:
    image = read_picture(path)
    found = faces.photo_detector.detect(image)
    if not found:
        return None
    largest = max(found, key=lambda one: float(one.box[2] - one.box[0]))
    mesh = find_landmarks(faces.landmarks, image, largest.keypoints)
    return Person(image, mesh, judge.embed(image, keypoints_of(mesh)))


def compared(
    people: list[Person], models: dict[str, SwapModel], faces: FaceModels, judge: Embedder
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
                result = swapped(model, SourceIdentity(photo, people[source].mesh), people[goal])
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


def swapped(model: SwapModel, source: SourceIdentity, target: Person) -> Swapped:
    swap = swap_face(model.bind(source), target.image, target.mesh, BEST)
    return Swapped(swap.pasted(target.image), swap.mask(target.image.shape[:2]))


def judged(result: Swapped, who: Floats, target: Person, source: Person) -> dict[str, float]:
    """Cosines, and sharpness and edges over those of the target; see ``rtswap.commands.evaluate.pixels``."""
    to_source, to_target = float(who @ source.who), float(who @ target.who)
    return {
        "cosine_to_source": to_source,
        "cosine_to_target": to_target,
        "margin": to_source - to_target,
        "sharpness_ratio": sharpness_ratio(target.image, result.image, result.mask),
        "edge_ratio": edge_ratio(target.image, result.image, result.mask),
    }


def own_psnr(model: SwapModel, person: Person) -> float:
    """dB of a face swapped with itself."""
    result = swapped(model, SourceIdentity(person.image, person.mesh), person)
    return psnr(result.image, person.image, result.mask)


if __name__ == "__main__":
    main()
