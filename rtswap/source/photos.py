"""Load photos of one person as a SourceIdentity: find and rate the faces, take the best as portrait, average
identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import InputError, NotInstalled, SourceError, reason
from rtswap.core.files import list_files
from rtswap.core.protocols import Detector, Embedder, IdentitySpaces, LandmarkModel
from rtswap.core.types import Detection, Image, Points, Portrait, SourceIdentity
from rtswap.source.identity import IdentityVectors, WeighedFace, mean_vector
from rtswap.source.personas import PREFIX, is_persona, persona_photo
from rtswap.source.portrait import find_landmarks, look, make_portrait
from rtswap.source.quality import Appraisal, appraise
from rtswap.vision.foreign_pictures import say_passed_over
from rtswap.vision.geometry import scale_of, transform
from rtswap.vision.images import PICTURE_SUFFIXES, read_image

_MOST_PHOTOS = 50
_SURE = 0.9
"""Detector score below which a photo is also tried rotated by 90, 180 and 270 degrees."""
_COUNTED_SIZE, _COUNTED_SCORE = 0.25, 0.85
"""Minimum height relative to the tallest face, and minimum score, of a face: below that it is often a false
detection."""
_ONE_PERSON = "all photos of one --source must show one person; give other people with --also or --swap"
_FURTHER = 4
"""Further views to use at most: more reveal nothing new, and each costs time at start."""
_TURNS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180)

Event = Callable[[str], None]


class Space(NamedTuple):
    """An identity space in which the photos of one source are compared."""

    name: str
    doubtful: float
    """Cosine below which photos may show different people, with a message."""
    different: float
    """Cosine below which a photo is left out, if two or more others agree."""


COMPARED_IN = (Space("dlib", 0.35, 0.35), Space("rtswap", 0.55, 0.35))
"""The first that is installed is used. dlib's own limit, a distance of 0.6, is a centred cosine of about 0.47. Of 760
pairs of people our own network puts 54 % below 0.55 and 27 % below 0.35, and none of 20 who smile in one photo."""


class PhotoModels(NamedTuple):
    """The models that analyse the photos."""

    detector: Detector
    landmarks: LandmarkModel
    embedder: Embedder | None
    """Compares several photos; None for one photo, or if none is given."""
    space: Space = COMPARED_IN[0]
    """What ``embedder`` belongs to."""


@dataclass(frozen=True, slots=True)
class _Photo:
    """A usable photo."""

    name: str
    portrait: Image
    landmarks: Points
    keypoints: Points
    """(5, 2) in ``portrait``."""
    appraisal: Appraisal
    embedding: NDArray[np.float32] | None

    @property
    def weight(self) -> float:
        """Product of size, sharpness, pose and exposure."""
        return max(self.appraisal.score, 1e-3)


def load_source(
    paths: Sequence[Path],
    *,
    detector: Detector,
    landmarks: LandmarkModel,
    spaces: IdentitySpaces = MappingProxyType({}),
    face_index: int | None = None,
    on_event: Event = lambda event: None,
    read: Callable[[Path], Image] = read_image,
) -> SourceIdentity:
    """Load the person in the photos. A folder means the images in it, ``persona:NAME`` a built-in persona.

    ``spaces``: the networks for ``SourceIdentity.identity``. Several photos are compared in the first of
    ``COMPARED_IN`` that is installed; one photo opens none. ``face_index``: which face of a photo that shows several,
    1 = the leftmost; None or 0 = the largest. Reports photos that it cannot use through ``on_event`` and leaves them
    out. Raises SourceError if none is left.
    """
    photos, refused = [], []
    files = _files(paths, on_event)
    models = PhotoModels(detector, landmarks, *(_comparing(spaces) if len(files) > 1 else (None,)))
    for path in files:
        try:
            photos.append(_look_at(path, models, face_index, on_event, read))
        except (SourceError, InputError) as error:
            if len(files) == 1:
                raise SourceError(error.what, expected=error.expected, got=error.got, do=error.do) from error
            refused.append(str(error))
            on_event(f"left out: {error}")
    if not photos:
        raise SourceError(f"none of the {len(files)} photos is usable as a source", got=refused[0])
    photos = _one_person(photos, models.space, on_event)
    best = max(photos, key=lambda photo: photo.appraisal.score)
    for doubt in best.appraisal.doubts:
        on_event(f"{best.name}: {doubt}")
    if len(photos) > 1:
        for line in _shares(photos):
            on_event(line)
    further = _further(best, photos, models.space)
    return SourceIdentity(best.portrait, best.landmarks, best.name, further, _identity(photos, spaces, models.space))


def _comparing(spaces: IdentitySpaces) -> tuple[Embedder | None, Space]:
    """The network that compares several photos, and its space; None if none is installed."""
    for space in COMPARED_IN:
        with suppress(NotInstalled):
            if space.name in spaces:
                return spaces[space.name](), space
    return None, COMPARED_IN[0]


def _files(paths: Sequence[Path], on_event: Event) -> list[Path]:
    """List the images, with folders expanded and personas resolved. Raises SourceError."""
    files: list[Path] = []
    personas: list[str] = []
    for path in paths:
        if is_persona(path):
            files.append(persona_photo(str(path)))
            personas.append(files[-1].stem)
            if str(path) != f"{PREFIX}{files[-1].stem}":  # persona:random
                on_event(f"{path}: {files[-1].stem}")
            continue
        if not path.is_dir():
            files.append(path)
            continue
        try:
            inside = list_files(path, PICTURE_SUFFIXES)
        except OSError as error:
            raise SourceError(f"cannot read the folder {path}", got=reason(error)) from error
        if not inside:
            raise SourceError(f"no image in the folder {path}", do="Put photos of one person into it.")
        if left := say_passed_over(path, PICTURE_SUFFIXES):
            on_event(left)
        files += inside
    if not files:
        raise SourceError("no source given", expected="a photo of the face to use", do="Add --source PHOTO.")
    if len(set(personas)) > 1:
        first, second, *_ = dict.fromkeys(personas)
        on_event(f"{first} and {second} are two people; {_ONE_PERSON}")
    if len(files) > _MOST_PHOTOS:
        on_event(f"{len(files)} photos given; using the first {_MOST_PHOTOS}")
    return files[:_MOST_PHOTOS]


def _look_at(
    path: Path, models: PhotoModels, face_index: int | None, on_event: Event, read: Callable[[Path], Image]
) -> _Photo:
    """Analyse one photo. Raises InputError if it cannot be read, SourceError if it cannot be used."""
    image, faces = _find_faces(read(path), models.detector)
    if not faces:
        raise SourceError(
            f"no face found in {path}", do="Use a photo that shows one face from the front, in good light."
        )
    face = _pick(path, faces, face_index, on_event)
    try:
        mesh = look(models.landmarks, image, face.keypoints)
        portrait, matrix = make_portrait(image, mesh)
        keypoints = transform(matrix, face.keypoints)
        points = find_landmarks(models.landmarks, portrait, keypoints)
    except SourceError as error:
        raise SourceError(f"{path}: {error.what}", expected=error.expected, got=error.got, do=error.do) from error
    appraisal = appraise(portrait, points, scale_of(matrix))
    if appraisal.faults:
        raise SourceError(f"cannot use {path}: {'; '.join(appraisal.faults)}", do="Use another photo.")
    embedding = (
        None if models.embedder is None else np.asarray(models.embedder.embed(image, face.keypoints), np.float32)
    )
    return _Photo(path.name, portrait, points, keypoints, appraisal, embedding)


def _find_faces(image: Image, detector: Detector) -> tuple[Image, list[Detection]]:
    """Rotate the photo to the orientation with the best detection; return it and its faces, from left to right."""
    best: tuple[Image, list[Detection]] = (image, [])
    for turn in _TURNS:
        turned = image if turn is None else np.asarray(cv2.rotate(image, turn), np.uint8)
        found = detector.detect(turned)
        if found and (not best[1] or found[0].score > best[1][0].score):
            best = (turned, found)
        if turn is None and found and found[0].score >= _SURE:
            break
    turned, found = best
    if not found:
        return turned, []
    tallest = max(_height(face) for face in found if face.score >= min(_COUNTED_SCORE, found[0].score))
    counted = [
        face
        for face in found
        if _height(face) >= _COUNTED_SIZE * tallest and face.score >= min(_COUNTED_SCORE, found[0].score)
    ]
    return turned, sorted(counted, key=lambda face: float(face.box[0] + face.box[2]))


def _height(face: Detection) -> float:
    return float(face.box[3] - face.box[1])


def _pick(path: Path, faces: list[Detection], face_index: int | None, on_event: Event) -> Detection:
    """The requested face, or the largest. A photo with one face ignores ``face_index``, with an event if another was
    meant. Raises SourceError."""
    if len(faces) == 1:
        if face_index and face_index > 1:
            on_event(f"{path.name} shows 1 face, which is used: --source-face {face_index} is for photos of several")
        return faces[0]
    if not face_index:
        number = int(np.argmax([_height(face) for face in faces]))
        on_event(
            f"{path.name} shows {len(faces)} faces; using the largest, number {number + 1} from the left "
            "(select another with --source-face N)"
        )
        return faces[number]
    if not 1 <= face_index <= len(faces):
        raise SourceError(
            f"{path} has no face number {face_index}",
            expected=f"1 (leftmost) to {len(faces)}",
            got=str(face_index),
            do="Change --source-face.",
        )
    return faces[face_index - 1]


def _one_person(photos: list[_Photo], space: Space, on_event: Event) -> list[_Photo]:
    """Report photos that seem to show someone else; of three or more, leave out those that differ from the rest."""
    if len(photos) < 2 or photos[0].embedding is None:
        return photos
    cosines = _agreement([photo.embedding for photo in photos if photo.embedding is not None])
    if len(photos) == 2:
        if cosines[0] < space.doubtful:
            on_event(f"{photos[0].name} and {photos[1].name} may show two different people; {_ONE_PERSON}")
        return photos
    kept = [photo for photo, cosine in zip(photos, cosines, strict=True) if cosine >= space.different]
    if len(kept) < 2:
        on_event(f"the photos may show different people: no two of them match; {_ONE_PERSON}")
        return photos
    for photo, cosine in zip(photos, cosines, strict=True):
        if cosine < space.doubtful:
            left_out = "left out: " if cosine < space.different else ""
            on_event(f"{left_out}{photo.name} may show a different person than the other photos")
    return kept


def _further(best: _Photo, photos: list[_Photo], space: Space) -> tuple[Portrait, ...]:
    """The other photos of the person in the best one, best first.

    Without an embedder all photos are assumed to show the same person.
    """
    others = sorted((one for one in photos if one is not best), key=lambda one: -one.appraisal.score)
    agreeing = [
        one
        for one in others
        if best.embedding is None or one.embedding is None or best.embedding @ one.embedding >= space.different
    ]
    return tuple(Portrait(one.portrait, one.landmarks) for one in agreeing[:_FURTHER])


def _agreement(embeddings: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Median cosine of each embedding with the others, (N,): one odd photo does not affect the rest."""
    cosines = np.stack(embeddings) @ np.stack(embeddings).T
    others = ~np.eye(len(cosines), dtype=bool)
    return np.array([np.median(row[other]) for row, other in zip(cosines, others, strict=True)], np.float32)


def _shares(photos: list[_Photo]) -> list[str]:
    """Messages with each photo's weight in the averaged identity, and its figures."""
    total = sum(photo.weight for photo in photos)
    return [f"{photo.name} has a weight of {photo.weight / total:.0%}: {photo.appraisal.figures}" for photo in photos]


def _identity(photos: list[_Photo], spaces: IdentitySpaces, space: Space) -> IdentityVectors:
    """Average the identity, weighted by quality. Reuses the vectors that photos were compared by."""
    faces = [WeighedFace(photo.portrait, photo.keypoints, photo.weight) for photo in photos]
    compared = [photo.embedding for photo in photos if photo.embedding is not None]
    known = {space.name: mean_vector(compared, [face.weight for face in faces])} if compared else {}
    return IdentityVectors(faces, spaces, known)
