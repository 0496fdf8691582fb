"""Photos of one person -> SourceIdentity: find the face, judge it, take the best as portrait, average who it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rtswap.core.errors import InputError, NotInstalled, SourceError
from rtswap.core.protocols import Detector, Embedder, IdentitySpaces, LandmarkModel
from rtswap.core.types import Detection, Image, Points, Portrait, SourceIdentity
from rtswap.source.identity import IdentityVectors, WeighedFace, weighted_mean
from rtswap.source.personas import is_persona, persona_photo
from rtswap.source.portrait import find_landmarks, look, make_portrait
from rtswap.source.quality import Appraisal, appraise
from rtswap.vision.geometry import scale_of, transform
from rtswap.vision.images import PICTURE_SUFFIXES, read_image

_MOST_PHOTOS = 50
_SURE = 0.9
"""Detector's score below which a photo is also tried on its side and upside down."""
_COUNTED_SIZE, _COUNTED_SCORE = 0.25, 0.85
"""A face counts beside the largest from this share of its height and this score: what is less is often none."""
_SAME_PERSON = 0.35
"""Cosine of centred embeddings; dlib's own limit, a distance of 0.6, is about 0.47."""
COMPARED_IN = "dlib"
"""The identity space in which several photos are compared; its cosines are meant above."""
_FURTHER = 4
"""More views than this hide nothing less, and each costs time when the program starts."""
_TURNS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180)

Event = Callable[[str], None]


class PhotoModels(NamedTuple):
    """What looks at the photos."""

    detector: Detector
    landmarks: LandmarkModel
    embedder: Embedder | None
    """What compares several photos; None for one photo, or where it is not installed."""


@dataclass(frozen=True, slots=True)
class _Photo:
    """One photo that can be used."""

    name: str
    portrait: Image
    landmarks: Points
    keypoints: Points
    """(5, 2) in ``portrait``."""
    appraisal: Appraisal
    embedding: NDArray[np.float32] | None

    @property
    def weight(self) -> float:
        """Size, sharpness, pose and exposure, multiplied."""
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
    """Everything about the person in the photos; a folder stands for the pictures in it, ``persona:NAME`` for one of
    the people in the box.

    ``spaces``: the networks of ``SourceIdentity.identity``; several photos are compared by the space ``dlib`` where
    it is installed, for one photo none is opened. ``face_index``: which face of a photo that shows several, 1 = the
    leftmost; None or 0 = the largest. Photos that cannot be used are told through ``on_event`` and left out. Raises
    SourceError when none is left.
    """
    photos, refused = [], []
    files = _files(paths, on_event)
    models = PhotoModels(detector, landmarks, _comparing(spaces) if len(files) > 1 else None)
    for path in files:
        try:
            photos.append(_look_at(path, models, face_index, on_event, read))
        except (SourceError, InputError) as error:
            if len(files) == 1:
                raise SourceError(error.what, expected=error.expected, got=error.got, do=error.do) from error
            refused.append(str(error))
            on_event(f"left out: {error}")
    if not photos:
        raise SourceError(f"none of the {len(files)} photos can be used as a source", got=refused[0])
    photos = _one_person(photos, on_event)
    best = max(photos, key=lambda photo: photo.appraisal.score)
    for doubt in best.appraisal.doubts:
        on_event(f"{best.name}: {doubt}")
    if len(photos) > 1:
        for line in _shares(photos):
            on_event(line)
    return SourceIdentity(best.portrait, best.landmarks, best.name, _further(best, photos), _identity(photos, spaces))


def _comparing(spaces: IdentitySpaces) -> Embedder | None:
    """What compares several photos; None where it is not installed."""
    if COMPARED_IN not in spaces:
        return None
    try:
        return spaces[COMPARED_IN]()
    except NotInstalled:
        return None


def _files(paths: Sequence[Path], on_event: Event) -> list[Path]:
    """Every picture named, folders opened, personas looked up. Raises SourceError."""
    files: list[Path] = []
    for path in paths:
        if is_persona(path):
            files.append(persona_photo(str(path)))
            on_event(f"{path}: {files[-1].stem}, who does not exist")
            continue
        if not path.is_dir():
            files.append(path)
            continue
        try:
            inside = sorted(child for child in path.iterdir() if child.suffix.lower() in PICTURE_SUFFIXES)
        except OSError as error:
            raise SourceError(f"the folder {path} cannot be read", got=str(error)) from error
        if not inside:
            raise SourceError(f"there is no picture in the folder {path}", do="Put photos of one person into it.")
        files += inside
    if not files:
        raise SourceError("no source was given", expected="a photo of the face to put on", do="Add --source PHOTO.")
    if len(files) > _MOST_PHOTOS:
        on_event(f"{len(files)} photos were given; the first {_MOST_PHOTOS} are used")
    return files[:_MOST_PHOTOS]


def _look_at(
    path: Path, models: PhotoModels, face_index: int | None, on_event: Event, read: Callable[[Path], Image]
) -> _Photo:
    """One photo. Raises InputError when it cannot be read, SourceError when it cannot be used."""
    image, faces = _find_faces(read(path), models.detector)
    if not faces:
        raise SourceError(
            f"there is no face in {path}", do="Use a photo that shows one face from the front, in good light."
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
        raise SourceError(f"{path} cannot be used: {'; '.join(appraisal.faults)}", do="Use another photo.")
    embedding = (
        None if models.embedder is None else np.asarray(models.embedder.embed(image, face.keypoints), np.float32)
    )
    return _Photo(path.name, portrait, points, keypoints, appraisal, embedding)


def _find_faces(image: Image, detector: Detector) -> tuple[Image, list[Detection]]:
    """The photo turned so that faces are surest to be found, and the faces that count, from left to right."""
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
    """The face asked for, or the largest. A photo with a single face needs no choosing. Raises SourceError."""
    if len(faces) == 1:
        return faces[0]
    if not face_index:
        number = int(np.argmax([_height(face) for face in faces]))
        on_event(
            f"{path.name} shows {len(faces)} faces; the largest, number {number + 1} from the left, is used "
            "(--source-face N takes another)"
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


def _one_person(photos: list[_Photo], on_event: Event) -> list[_Photo]:
    """Tell which photos seem to show somebody else; of three or more, leave out those that differ from the rest."""
    if len(photos) < 2 or photos[0].embedding is None:
        return photos
    cosines = _agreement([photo.embedding for photo in photos if photo.embedding is not None])
    if len(photos) == 2:
        if cosines[0] < _SAME_PERSON:
            on_event(f"{photos[0].name} and {photos[1].name} may show two different people")
        return photos
    kept = [photo for photo, cosine in zip(photos, cosines, strict=True) if cosine >= _SAME_PERSON]
    if len(kept) < 2:
        on_event("the photos may show different people: no two of them agree")
        return photos
    for photo in photos:
        if photo not in kept:
            on_event(f"left out: {photo.name} may show another person than the other photos")
    return kept


def _further(best: _Photo, photos: list[_Photo]) -> tuple[Portrait, ...]:
    """The other photos that show the same person as the best one, best first.

    Without an embedder nobody can tell: then they are believed to, as the user says.
    """
    others = sorted((one for one in photos if one is not best), key=lambda one: -one.appraisal.score)
    agreeing = [
        one
        for one in others
        if best.embedding is None or one.embedding is None or best.embedding @ one.embedding >= _SAME_PERSON
    ]
    return tuple(Portrait(one.portrait, one.landmarks) for one in agreeing[:_FURTHER])


def _agreement(embeddings: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(N,) median cosine of each with the others: one odd photo does not spoil the rest."""
    cosines = np.stack(embeddings) @ np.stack(embeddings).T
    others = ~np.eye(len(cosines), dtype=bool)
    return np.array([np.median(row[other]) for row, other in zip(cosines, others, strict=True)], np.float32)


def _shares(photos: list[_Photo]) -> list[str]:
    """Of each photo how much it counts in the average of who the person is, and why."""
    total = sum(photo.weight for photo in photos)
    return [f"{photo.name} counts {photo.weight / total:.0%}: {photo.appraisal.figures}" for photo in photos]


def _identity(photos: list[_Photo], spaces: IdentitySpaces) -> IdentityVectors:
    """Better photos count more. What several were compared by is there already."""
    faces = [WeighedFace(photo.portrait, photo.keypoints, photo.weight) for photo in photos]
    compared = [photo.embedding for photo in photos if photo.embedding is not None]
    known = {COMPARED_IN: weighted_mean(compared, [face.weight for face in faces])} if compared else {}
    return IdentityVectors(faces, spaces, known)
