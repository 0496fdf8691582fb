"""Makes the people who come with rtswap: none of them exists, and none of them is one of their parents.

    python -m training.personas --faces ../shared/faces --sheet personas.png

For each of ``people.PEOPLE`` a recipe is searched (parents for each part, and an outline; two minutes each) unless
``recipes.json`` has one, the picture is made and written, and its distance to all shared faces is told by dlib's
network (``pip install 'rtswap[identity]'``). Stopped and started again it goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from scipy.spatial.distance import cdist

from rtswap.app.config import Config
from rtswap.app.networks import open_models
from rtswap.core.types import Image
from rtswap.networks.dlib_identity import DlibEmbedder
from training.personas.compose import Recipe, compose
from training.personas.faces import Faces
from training.personas.people import PEOPLE
from training.personas.search import SAME, Judge, Judged, search
from training.pictures import sheet

RECIPES = Path(__file__).with_name("recipes.json")
JUDGED = Path(__file__).with_name("judged.json")
MAX_BYTES = 27_500
SEARCH_PX, ROUNDS = 256, (30, 40)
LICENCE = "MIT"
EARLIER = ("ada", "ben", "carl", "dan")
"""Averages of two faces each, which dlib's network takes for their parents. Many tests look at them, so that they
are made anew only with ``--all``."""
MADE = (
    "training/personas: parts of several pictures of people who do not exist (SFHQ, MIT; faker-js, CC0), their "
    "outlines mixed and exaggerated until dlib's network takes the result for none of them; "
    "ada, ben, carl and dan are averages of two each"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=Path, required=True, help="folder with faces.npz and the pictures")
    parser.add_argument("--out", type=Path, default=Path("rtswap/assets/personas"))
    parser.add_argument("--sheet", type=Path, help="also draw everybody here")
    parser.add_argument("--again", nargs="*", default=[], metavar="NAME", help="search these anew")
    parser.add_argument("--all", action="store_true", help=f"also make {', '.join(EARLIER)} anew")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # so that sums come out the same everywhere
    eyes = open_models(Config(), on_event=print)
    embedder = eyes.embedder()
    if not isinstance(embedder, DlibEmbedder):
        parser.error("the judge is missing: pip install 'rtswap[identity]'")
    small, large = (Faces(arguments.faces, eyes, side) for side in (SEARCH_PX, 512))
    recipes = {name: recipe for name, recipe in _recipes().items() if name not in arguments.again}
    for name in [name for name in PEOPLE if name not in recipes]:
        judge = Judge(small, eyes, embedder)
        seed = crc32(name.encode()) + arguments.seed
        found = search(
            PEOPLE[name], small, judge, seed=seed, rounds=ROUNDS, tell=lambda text, name=name: print(name, text)
        )
        recipes[name] = found[1]
        _keep(RECIPES, {one: asdict(recipes[one]) for one in PEOPLE if one in recipes})
    judge = Judge(large, eyes, embedder)
    pictures, judged = {}, {}
    for name in PEOPLE:
        path = arguments.out / f"{name}.jpg"
        if arguments.all or name not in EARLIER:
            path.write_bytes(encoded(compose(recipes[name], large)))
        data = path.read_bytes()
        pictures[name] = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        seen = judge.look(pictures[name], recipes[name].parents)
        if seen is None:
            parser.error(f"no face is found in {name}")
        judged[name] = seen
    _keep(arguments.out / "personas.json", _list(arguments.out, judged))
    _keep(JUDGED, table(judged, large))
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), portraits(pictures))


def encoded(picture: Image) -> bytes:
    """JPEG, as good as fits."""
    for quality in range(94, 30, -1):
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(data) <= MAX_BYTES:
            return data
    raise SystemExit(f"a picture does not fit into {MAX_BYTES} bytes")


def table(judged: dict[str, Judged], faces: Faces) -> dict[str, object]:
    """Distances of dlib's embeddings; the same person lies below 0.6. Those of shared faces stand beside them."""
    own = np.stack([one.embedding for one in judged.values()])
    between = cdist(own, own)
    np.fill_diagonal(between, 9)
    shared = cdist(faces.embeddings, faces.embeddings)
    np.fill_diagonal(shared, 9)
    rows = {
        name: {
            "nearest_shared": round(one.nearest, 3),
            "nearest_name": one.nearest_name,
            "nearest_parent": round(one.parents, 3),
            "nearest_persona": round(float(between[at].min()), 3),
        }
        for at, (name, one) in enumerate(judged.items())
    }
    for name, row in rows.items():
        print(f"{name:8} " + "  ".join(f"{key} {value}" for key, value in row.items()))
    strangers = {f"p{share}": round(float(np.percentile(shared.min(1), share)), 3) for share in (5, 50, 95)}
    print("shared faces to their nearest:", strangers)
    return {"personas": rows, "shared_faces_to_their_nearest": strangers}


def portraits(pictures: dict[str, Image], side: int = 384, columns: int = 6) -> Image:
    tiles = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in pictures.values()]
    for name, tile in zip(pictures, tiles, strict=True):
        cv2.putText(tile, name, (8, side - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2, cv2.LINE_AA)
    return sheet(tiles, columns)


def _list(folder: Path, judged: dict[str, Judged]) -> dict[str, object]:
    rows = []
    for name in sorted(PEOPLE):
        path = folder / f"{name}.jpg"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        row = {"name": name, "description": PEOPLE[name].description, "file": path.name, "sha256": digest}
        rows.append(row | {"offered": judged[name].parents >= SAME})
    return {"licence": LICENCE, "made": MADE, "personas": rows}


def _recipes() -> dict[str, Recipe]:
    if not RECIPES.exists():
        return {}
    data = json.loads(RECIPES.read_text("utf-8"))
    return {name: Recipe(**row | {"push": tuple(row["push"])}) for name, row in data.items() if name in PEOPLE}


def _keep(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
