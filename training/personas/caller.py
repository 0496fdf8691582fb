"""Makes the caller of the demo: a person who does not exist, in front of a room, as three pictures of 1280x720.

    python -m training.personas.caller --portraits ../shared/portraits --faces ../shared/faces --sheet caller.png

``caller.json`` says of whom. One portrait with a plain wall behind it gives hair, neck and shoulders, four others
give skin, eyes, nose and mouth (``compose.blend``), a sixth the room, its person painted over. dlib's network tells
how far the result is from all portraits (``pip install 'rtswap[identity]'``). Written are ``person.jpg`` (with its
colours drawn on beyond its outline), ``matte.jpg`` (its opacity), ``room.jpg`` (out of focus) and ``caller.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, open_models
from rtswap.core.types import Image, Points
from rtswap.networks.dlib_identity import DlibEmbedder
from rtswap.source.portrait import find_landmarks
from rtswap.vision.topology import LEFT_EYE, LIPS_OUTER, OVAL, RIGHT_EYE
from training.personas.compose import Field, Recipe, blend, grown
from training.personas.faces import Face, Faces, placed
from training.personas.search import SAME
from training.pictures import read_picture

RECIPE = Path(__file__).with_name("caller.json")
SIDE = 1024
SIZE = 1280, 720
QUALITY = 90
DULL = 0.35
"""Share of it that stays."""
BELOW_NOSE, LINE = [97, 94, 326, 164], 13
LICENCE = "MIT"
MADE = (
    "training/personas/caller.py: parts of six pictures of people who do not exist (faker-js, CC0); dlib's network "
    "takes the result for none of them"
)


class Portraits:
    """``compose.Parents`` in their own scenes. ``head``: whose scale ``modes`` have."""

    side = SIDE

    def __init__(self, folder: Path, faces: Path, eyes: FaceModels, head: str) -> None:
        self._folder, self._faces, self._eyes, self._head = folder, faces, eyes, head
        self.face: Callable[[str], Face] = lru_cache(maxsize=None)(self._face)

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.jpg"))

    def picture(self, name: str) -> Image:
        return read_picture(self._folder / f"{name}.jpg")

    def _face(self, name: str) -> Face:
        picture = self.picture(name)
        start = self._eyes.detector.detect(picture)[0].keypoints
        return Face(picture, find_landmarks(self._eyes.landmarks, picture, start)[:, :2].copy())

    @cached_property
    def modes(self) -> Field:
        height = float(np.ptp(self.face(self._head).points[:, 1]))
        scale = height / float(np.ptp(placed(SIDE)[:, 1]))
        return Faces(self._faces, self._eyes, SIDE).modes * np.float32(scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--portraits", type=Path, required=True, help="folder with the pictures of 1024x1024")
    parser.add_argument("--faces", type=Path, required=True, help="folder with faces.npz, for how faces differ")
    parser.add_argument("--out", type=Path, default=Path("rtswap/assets/caller"))
    parser.add_argument("--sheet", type=Path, help="also draw the caller in the room here")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # so that sums come out the same everywhere
    plan = json.loads(RECIPE.read_text("utf-8"))
    recipe = Recipe(**plan["face"] | {"push": tuple(plan["face"]["push"])})
    eyes = open_models(Config(), on_event=print)
    embedder = eyes.embedder()
    if not isinstance(embedder, DlibEmbedder):
        parser.error("the judge is missing: pip install 'rtswap[identity]'")
    portraits = Portraits(arguments.portraits, arguments.faces, eyes, recipe.head)
    picture = np.clip(matt(*blend(recipe, portraits)), 0, 255).astype(np.uint8)
    opacity, colours = cut_out(picture, np.array(plan["body"], np.int32))
    person, matte = framed(colours, opacity, plan["frame"])
    room = out_of_focus(without_person(portraits.picture(plan["room"]["of"]), plan["room"]))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, one in (("person", person), ("matte", matte), ("room", room)):
        cv2.imwrite(str(arguments.out / f"{name}.jpg"), one, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    share = matte[..., None] / np.float32(255)
    still = (person * share + room * (1 - share)).astype(np.uint8)
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), still)
    distances = judged(still, recipe, portraits, eyes, embedder)
    row = {"licence": LICENCE, "made": MADE, "distances": distances}
    print(json.dumps(distances), "the same person lies below", SAME)
    (arguments.out / "caller.json").write_text(json.dumps(row, indent=1) + "\n", "utf-8")


def judged(
    still: Image, recipe: Recipe, portraits: Portraits, eyes: FaceModels, embedder: DlibEmbedder
) -> dict[str, Any]:
    """How near the nearest of all portraits and the nearest parent are, in dlib's distances."""
    own = embedder.raw(still, eyes.detector.detect(still)[0].keypoints)
    away = {}
    for name in portraits.names():
        picture = portraits.picture(name)
        if found := eyes.detector.detect(picture):
            away[name] = round(float(np.linalg.norm(embedder.raw(picture, found[0].keypoints) - own)), 3)
    nearest = min(away, key=lambda name: away[name])
    return {
        "nearest_portrait": away[nearest],
        "nearest_name": nearest,
        "nearest_parent": min(away[name] for name in recipe.parents),
    }


def matt(picture: Field, points: Points) -> Field:
    """``picture`` (S, S, 3) with less gloss on the face, and without the dark line below the tip of the nose.

    Where a channel is above what is around, it is that times 1 + ``DULL`` of the rest. The line, thinner than
    ``LINE``, is closed. ``points``: (468, 2) px.
    """
    width = float(np.ptp(points[:, 0]))
    face = np.zeros(picture.shape[:2], np.float32)
    cv2.fillPoly(face, [np.round(points[OVAL]).astype(np.int32)], 1.0)
    weight = cv2.GaussianBlur(face, (0, 0), 0.15 * width)[..., None] + np.float32(1e-3)
    around = cv2.GaussianBlur((picture + 8) * face[..., None], (0, 0), 0.15 * width) / weight
    for ring in (LEFT_EYE, RIGHT_EYE, LIPS_OUTER):
        cv2.fillPoly(face, [cv2.convexHull(np.round(grown(points[ring], 1.25)).astype(np.int32))], 0.0)
    over = np.maximum(cv2.GaussianBlur(picture + 8, (0, 0), 0.008 * width) / np.maximum(around, 8) - 1, 0)
    change = over * cv2.GaussianBlur(face, (0, 0), 0.02 * width)[..., None]
    dull = picture * (1 + DULL * change) / (1 + change)
    nose = np.zeros_like(face)
    cv2.fillPoly(nose, [np.round(points[BELOW_NOSE]).astype(np.int32)], 1.0)
    nose = cv2.GaussianBlur(cv2.dilate(nose, _disc(9)), (0, 0), 2.0)[..., None]
    return np.asarray(dull + nose * (cv2.morphologyEx(dull, cv2.MORPH_CLOSE, _disc(LINE)) - dull), np.float32)


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
    near = _drawn_on(image, core)
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
    return opacity, _drawn_on(colours, (opacity > 0.3).astype(np.float32), keep=True)


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


def _drawn_on(image: Field, known: Field, *, keep: bool = False) -> Field:
    """``image`` with what is not ``known`` (S, S) 0..1 filled from the nearest that is; all of it unless ``keep``."""
    result = np.ones_like(image) * (np.tensordot(known, image, 2) / known.sum())
    for sigma in (96, 48, 24, 12, 6, 3):
        weight = cv2.GaussianBlur(known, (0, 0), sigma)
        near = cv2.GaussianBlur(image * known[..., None], (0, 0), sigma) / np.maximum(weight, 1e-4)[..., None]
        share = np.clip(weight / 0.05, 0, 1)[..., None]
        result = share * near + (1 - share) * result
    return np.asarray(known[..., None] * image + (1 - known[..., None]) * result if keep else result, np.float32)


def framed(colours: Field, opacity: Field, frame: dict[str, Any]) -> tuple[Image, Image]:
    """Colours and opacity as bytes in a picture of ``SIZE``, and in the room's light.

    ``frame``: ``scale``, ``shift`` (x, y) px, and ``gain`` of blue, green and red.
    """
    matrix = np.array([[frame["scale"], 0, frame["shift"][0]], [0, frame["scale"], frame["shift"][1]]], np.float32)
    lit = np.clip(colours * np.array(frame["gain"], np.float32), 0, 255)
    how: dict[str, Any] = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
    person, matte = (cv2.warpAffine(one, matrix, SIZE, **how) for one in (lit, opacity * 255))
    return np.clip(person, 0, 255).astype(np.uint8), np.clip(matte + 0.5, 0, 255).astype(np.uint8)


def without_person(picture: Image, room: dict[str, Any]) -> Image:
    """The upper part of a portrait as a picture of ``SIZE``; ``room["hole"]``: outline of its person, (N, 2) px."""
    height = SIDE * SIZE[1] // SIZE[0]
    hole = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(hole, [np.array(room["hole"], np.int32)], 1)
    top = room["top"]
    scene, hidden = picture[top : top + height].astype(np.float32), hole[top : top + height].astype(np.float32)
    return np.clip(cv2.resize(_drawn_on(scene, 1 - hidden, keep=True), SIZE), 0, 255).astype(np.uint8)


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
