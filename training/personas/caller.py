"""Makes the caller of the demo: a person who does not exist, in front of a room, as three pictures of 1280x720.

    python -m training.personas.caller --portraits ../shared/portraits --faces ../shared/faces --sheet caller.png

``caller.json`` says of whom. One portrait with a plain wall behind it gives hair, neck and shoulders, four others
give skin, eyes, nose and mouth (``composition.blend``), a sixth the room, its person painted over. dlib's network
tells how far the result is from all portraits (``pip install 'rtswap[identity]'``). Writes ``person.jpg`` (with its
colours drawn on beyond its outline), ``matte.jpg`` (its opacity), ``room.jpg`` (out of focus) and ``caller.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.types import Image, Points
from rtswap.vision.resample import warped
from training.personas.composition import Field, Recipe, blend, matt
from training.personas.faces import SAME, SIDE, Judge, Portraits, command_line, open_judge

RECIPE = Path(__file__).with_name("caller.json")
SIZE = 1280, 720
QUALITY = 90
BELOW_NOSE, LINE = [97, 94, 326, 164], 13
LICENCE = "MIT"
MADE = (
    "training/personas/caller.py: parts of six pictures of people who do not exist (faker-js, CC0); dlib's network "
    "takes the result for none of them"
)


def main() -> None:
    parser = command_line(__doc__, out="caller", sheet="the caller in the room")
    arguments = parser.parse_args()
    models, embedder = open_judge(parser)
    plan = json.loads(RECIPE.read_text("utf-8"))
    recipe = Recipe(**plan["face"] | {"push": tuple(plan["face"]["push"])})
    portraits = Portraits(arguments.portraits, arguments.faces, models)
    blended, points = blend(recipe, portraits)
    picture = np.clip(without_line(matt(blended, points), points), 0, 255).astype(np.uint8)
    opacity, colours = cut_out(picture, np.array(plan["body"], np.int32))
    person, matte = frame_in_room(colours, opacity, plan["frame"])
    room = out_of_focus(without_person(portraits.picture(plan["room"]["of"]), plan["room"]))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, one in (("person", person), ("matte", matte), ("room", room)):
        cv2.imwrite(str(arguments.out / f"{name}.jpg"), one, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    share = matte[..., None] / np.float32(255)
    still = (person * share + room * (1 - share)).astype(np.uint8)
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), still)
    judged = Judge(portraits, models, embedder).look(still, recipe.parents)
    if judged is None:
        parser.error("no face is found in the caller")
    distances = judged.distances()
    row = {"licence": LICENCE, "made": MADE, "distances": distances}
    print(json.dumps(distances), "the same person lies below", SAME)
    (arguments.out / "caller.json").write_text(json.dumps(row, indent=1) + "\n", "utf-8")


def without_line(picture: Field, points: Points) -> Field:
    """``picture`` (S, S, 3) without the dark line below the nose: what is thinner than ``LINE`` is closed."""
    nose = np.zeros(picture.shape[:2], np.float32)
    cv2.fillPoly(nose, [np.round(points[BELOW_NOSE]).astype(np.int32)], 1.0)
    nose = cv2.GaussianBlur(cv2.dilate(nose, _disc(9)), (0, 0), 2.0)[..., None]
    closed = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, _disc(LINE))
    return np.asarray(picture + nose * (closed - picture), np.float32)


def cut_out(picture: Image, body: NDArray[np.int32]) -> tuple[Field, Field]:
    """Opacity (S, S) 0..1 and colours (S, S, 3) of whom a plain, softly shaded wall stands behind.

    ``body``: outline (N, 2) px of what certainly hides the wall: a white shirt in shade can have the wall's colour.

    The wall is a quadratic in x and y per channel. Where it shows through hair, a pixel is wall + opacity * (hair -
    wall), with the colour of the nearest hair that hides the wall.
    """
    image = picture.astype(np.float32)
    wall, off = _wall(image)
    sure = np.zeros(off.shape, np.float32)
    cv2.fillPoly(sure, [body], 1.0)
    solid = _solid((off > 30) | (sure > 0))
    core, reach = (cv2.morphologyEx(solid, how, _disc(13)) for how in (cv2.MORPH_ERODE, cv2.MORPH_DILATE))
    core = np.maximum(core * (cv2.GaussianBlur(off, (0, 0), 1.0) > 40), sure)
    near = _continue(image, core)
    towards = near - wall
    share = ((image - wall) * towards).sum(2) / np.maximum((towards**2).sum(2), 1)
    opacity = np.clip((share - 0.06) / 0.86, 0, 1)
    opacity = np.where(reach > 0, np.maximum(opacity, core), 0).astype(np.float32)
    inner = cv2.morphologyEx(solid, cv2.MORPH_ERODE, _disc(31))
    opacity = np.maximum(opacity, inner)
    shown = np.maximum(opacity, 0.2)[..., None]
    own = np.clip((image - (1 - opacity[..., None]) * wall) / shown, 0, 255)
    clear = np.clip((opacity - 0.35) / 0.4, 0, 1)[..., None]
    colours = clear * own + (1 - clear) * near
    return opacity, _continue(colours, (opacity > 0.3).astype(np.float32), keep=True)


def _wall(image: Field) -> tuple[Field, Field]:
    """The wall (S, S, 3) as if nobody stood there, and how far each pixel is from it, (S, S) levels."""
    side = len(image)
    y, x = np.mgrid[:side, :side].astype(np.float32) / side - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    known = np.zeros((side, side), bool)
    known[: side // 12], known[: side // 2, : side // 12], known[: side // 2, -side // 12 :] = True, True, True
    for _ in range(4):
        fit = np.linalg.lstsq(terms[known][::7], image[known][::7], rcond=None)[0]
        wall = terms @ fit.astype(np.float32)
        off = np.abs(image - wall).max(2)
        known = cv2.GaussianBlur(off, (0, 0), 2.0) < 9
    return np.asarray(wall, np.float32), np.asarray(off, np.float32)


def _solid(far: NDArray[np.bool_]) -> Field:
    """The largest piece without holes, (S, S) 0 or 1."""
    mask = cv2.morphologyEx(far.astype(np.uint8), cv2.MORPH_OPEN, _disc(5))
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    solid = np.zeros(far.shape, np.float32)
    cv2.drawContours(solid, [max(outlines, key=cv2.contourArea)], -1, 1.0, cv2.FILLED)
    return solid


def _continue(image: Field, known: Field, *, keep: bool = False) -> Field:
    """``image`` with what is not ``known`` (S, S) 0..1 filled from the nearest that is; all of it unless ``keep``."""
    result = np.ones_like(image) * (np.tensordot(known, image, 2) / known.sum())
    for sigma in (96, 48, 24, 12, 6, 3):
        weight = cv2.GaussianBlur(known, (0, 0), sigma)
        near = cv2.GaussianBlur(image * known[..., None], (0, 0), sigma) / np.maximum(weight, 1e-4)[..., None]
        share = np.clip(weight / 0.05, 0, 1)[..., None]
        result = share * near + (1 - share) * result
    return np.asarray(known[..., None] * image + (1 - known[..., None]) * result if keep else result, np.float32)


def frame_in_room(colours: Field, opacity: Field, frame: dict[str, Any]) -> tuple[Image, Image]:
    """Colours and opacity as bytes in a picture of ``SIZE``, and in the room's light.

    ``frame``: ``scale``, ``shift`` (x, y) px, and ``gain`` of blue, green and red.
    """
    matrix = np.array([[frame["scale"], 0, frame["shift"][0]], [0, frame["scale"], frame["shift"][1]]], np.float32)
    lit = np.clip(colours * np.array(frame["gain"], np.float32), 0, 255)
    person, matte = (warped(one, matrix, SIZE, how=cv2.INTER_CUBIC) for one in (lit, opacity * 255))
    return np.clip(person, 0, 255).astype(np.uint8), np.clip(matte + 0.5, 0, 255).astype(np.uint8)


def without_person(picture: Image, room: dict[str, Any]) -> Image:
    """The upper part of a portrait as a picture of ``SIZE``; ``room["hole"]``: outline of its person, (N, 2) px."""
    height = SIDE * SIZE[1] // SIZE[0]
    hole = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(hole, [np.array(room["hole"], np.int32)], 1)
    top = room["top"]
    scene, hidden = picture[top : top + height].astype(np.float32), hole[top : top + height].astype(np.float32)
    return np.clip(cv2.resize(_continue(scene, 1 - hidden, keep=True), SIZE), 0, 255).astype(np.uint8)


def out_of_focus(room: Image, radius: float = 9.0) -> Image:
    """As a lens shows what is behind its focus: the mean of a disc, of light and not of levels."""
    disc = _disc(2 * round(radius) + 1).astype(np.float32)
    light = cv2.filter2D((room / np.float32(255)) ** 2.2, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT_101)
    soft = cv2.GaussianBlur(light, (0, 0), radius / 4)
    return np.clip(255 * np.maximum(soft, 0) ** (1 / 2.2) + 0.5, 0, 255).astype(np.uint8)


def _disc(side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


if __name__ == "__main__":
    main()
