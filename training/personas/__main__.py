"""Makes the people who come with rtswap: none of them exists, and each is blended of several portraits.

    python -m training.personas --portraits ../shared/portraits --faces ../shared/faces --sheet personas.png

For each of ``people.PEOPLE`` recipes are tried (a minute each) unless ``recipes.json`` has one; what dlib's network
finds farthest from its parents is not always what looks best, so ``recipes.json`` holds what was chosen by eye among
the farthest. The picture is made and written, and its distance to all portraits is told by dlib's network (``pip
install 'rtswap[identity]'``). No persona may be nearer to a portrait than the two nearest portraits, of different
people, are to each other. dlib's own limit for one person, 0.6, says nothing here: more than 95 % of the portraits
lie within it of another.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np

from rtswap.core.files import sha256_of
from rtswap.core.types import Image
from rtswap.drawing.sheet import draw_pictures
from training.personas.composition import Recipe, compose
from training.personas.faces import Judge, Judged, Portraits, command_line, open_judge
from training.personas.people import PEOPLE
from training.personas.search import search

RECIPES = Path(__file__).with_name("recipes.json")
JUDGED = Path(__file__).with_name("judged.json")
MAX_BYTES = 80_000
SEARCH_PX, ROUNDS = 512, (24, 16)
LICENCE = "MIT"
MADE = (
    "training/personas: each is blended of four or five portraits of people who do not exist (faker-js, CC0), which "
    "Stable Diffusion 3 made. judged.json in training/personas tells how near dlib's network finds them to the "
    "portraits"
)


def main() -> None:
    parser = command_line(__doc__, out="personas", sheet="everybody")
    parser.add_argument("--again", nargs="*", default=[], metavar="NAME", help="search these anew")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    models, embedder = open_judge(parser)
    small, large = (Portraits(arguments.portraits, arguments.faces, models, side) for side in (SEARCH_PX, 1024))
    judge = Judge(small, models, embedder)
    recipes = {name: recipe for name, recipe in _recipes().items() if name not in arguments.again}
    for name in [name for name in PEOPLE if name not in recipes]:
        seed = crc32(name.encode()) + arguments.seed
        tried = search(
            PEOPLE[name], small, judge, seed=seed, rounds=ROUNDS, tell=lambda text, name=name: print(name, text)
        )
        recipes[name] = tried[0].recipe
        _keep(RECIPES, {one: asdict(recipes[one]) for one in PEOPLE if one in recipes})
    pictures, judged = {}, {}
    for name in PEOPLE:
        path = arguments.out / f"{name}.jpg"
        path.write_bytes(encode(compose(recipes[name], large)))
        pictures[name] = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        seen = judge.look(pictures[name], recipes[name].parents)
        if seen is None:
            parser.error(f"no face is found in {name}")
        judged[name] = seen
        print(name, seen.distances(), flush=True)
    _keep(arguments.out / "personas.json", _list(arguments.out))
    _keep(JUDGED, table(judged, judge))
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), portraits(pictures))


def encode(picture: Image) -> bytes:
    """JPEG, as good as fits."""
    for quality in range(94, 30, -1):
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(data) <= MAX_BYTES:
            return data
    raise SystemExit(f"a picture does not fit into {MAX_BYTES} bytes")


def table(judged: dict[str, Judged], judge: Judge) -> dict[str, object]:
    """Distances of dlib's embeddings. Those of the portraits, all of different people, to their nearest stand beside
    them; p0 is the two nearest, than which no persona may be nearer to a portrait."""
    own = np.stack(list(judge.known.values()))
    between = np.linalg.norm(own[:, None] - own[None], axis=2)
    np.fill_diagonal(between, np.inf)
    strangers = {f"p{share}": round(float(np.percentile(between.min(1), share)), 3) for share in (0, 5, 25, 50, 95)}
    print("portraits to their nearest:", strangers)
    rows = {name: one.distances() for name, one in judged.items()}
    return {"personas": rows, "portraits_to_their_nearest": strangers}


def portraits(pictures: dict[str, Image], side: int = 384, columns: int = 6) -> Image:
    tiles = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in pictures.values()]
    for name, tile in zip(pictures, tiles, strict=True):
        cv2.putText(tile, name, (8, side - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2, cv2.LINE_AA)
    return draw_pictures(tiles, columns=columns)


def _list(folder: Path) -> dict[str, object]:
    """The manifest."""
    rows = []
    for name in sorted(PEOPLE):
        digest = sha256_of(folder / f"{name}.jpg")
        description = PEOPLE[name].description
        rows.append({"name": name, "description": description, "file": f"{name}.jpg", "sha256": digest})
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
