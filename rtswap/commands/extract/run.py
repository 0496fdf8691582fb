"""``rtswap extract``: cut out faces file by file and frame by frame; keep the finished ones when interrupted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.app.console import Console
from rtswap.app.networks import FaceModels
from rtswap.app.overwriting import one_file, refuse
from rtswap.commands.extract.album import INDEX, SHEET, Album, FileProgress, encode
from rtswap.commands.extract.files import files_in, hash_of, is_video, name_of
from rtswap.commands.extract.measure import UNCLEAR, MeasuredFace, measure_faces
from rtswap.commands.extract.near_duplicates import NearDuplicates
from rtswap.commands.extract.options import ExtractOptions
from rtswap.commands.extract.sheet import draw_faces
from rtswap.core.errors import InputError
from rtswap.core.text import plural
from rtswap.core.types import Image
from rtswap.vision.crops import cut_sharp
from rtswap.vision.geometry import scale_of, transform
from rtswap.vision.images import read_image
from rtswap.vision.templates import placement

ENLARGED = 1.5
"""Enlargement above which a face is counted in the summary."""
SAVE_EVERY_S = 20.0
ALIKE = "alike"
"""Reason to leave out a face: it nearly equals one that is already stored."""
SKIPPED = ("done before", "given twice", "without a face")
"""Kinds of files that added no face."""
_UNOPENED = 1
"""Assumed frame count of a video that is not open yet, for the progress bar."""


def extract(
    options: ExtractOptions, open_models: Callable[[], FaceModels], *, console: Console
) -> tuple[dict[str, Any], int]:
    """Return the summary and the exit code. Load the networks when the first file needs them.

    Raises InputError if no face was stored, UsageError, OutputError.
    """
    files = files_in(options.inputs, options.out.expanduser())
    if not files:
        raise InputError(f"no photo or video found in {', '.join(options.inputs)[:300]}", do="Check the path.")
    out = options.out.expanduser()
    refuse([(str(path), "one of the inputs") for path in files], [one_file(out / name) for name in (INDEX, SHEET)])
    album = Album(out, options.settings(), overwrite=options.overwrite)
    if album.started_over:
        console.event(f"{album.folder}: the faces of an earlier run with other settings were removed")
    run = _Extraction(options, album, open_models, console, files)
    interrupted = False
    try:
        run.work()
    except KeyboardInterrupt:
        interrupted = True
        console.event("interrupted: the faces so far are saved; run the same command again to continue")
    finally:
        album.save()
    if album.faces and (run.kept or not (album.folder / SHEET).exists()):
        album.write(SHEET, encode(draw_faces(album.folder, album.faces), ".png"))
    if not album.faces and not interrupted:
        raise run.nothing()
    return run.summary(interrupted), 0


class _Extraction:
    """One run of ``rtswap extract``."""

    def __init__(
        self,
        options: ExtractOptions,
        album: Album,
        open_models: Callable[[], FaceModels],
        console: Console,
        files: list[Path],
    ) -> None:
        self._options, self._album, self._console, self._files = options, album, console, files
        self._open_models = open_models
        self._models: FaceModels | None = None
        self._alike: NearDuplicates | None = None
        self._saved_at = time.perf_counter()
        self._done, self._total = 0, 0
        self.kept = 0
        self.seen = 0
        self.enlarged = 0
        self.before = 0
        """Files that an earlier run finished."""
        self.faceless = 0
        self.twice = 0
        """Files with the same content as another file of this run."""
        self._hashes: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.unreadable: dict[str, str] = {}
        """File -> reason."""

    def work(self) -> None:
        """Process every file."""
        self._total = len(self._files)
        for path in self._files:
            counted = self._done
            try:
                self._file(path)
            except InputError as error:
                self.unreadable[str(path)] = str(error)
                self._console.event(f"left out: {error}")
            self._done = max(self._done, counted + 1)
            self._progress(path.name)
        self._done = self._total

    def _file(self, path: Path) -> None:
        """Process one file. Raises InputError if it cannot be read to its end."""
        sha256 = hash_of(path)
        if sha256 in self._hashes:
            self.twice += 1
            return
        self._hashes.add(sha256)
        done = self._album.begin(sha256, str(path))
        if self._options.overwrite and self._alike is not None:
            self._alike.forget(sha256)
        if done is None:
            self.before += 1
            return
        try:
            for image, frame, time_s in self._pictures(path, done):
                self._picture(path, sha256, done, image, frame, time_s)
        except InputError:
            if not done.seen and not done.frame:
                del self._album.done[sha256]
            raise
        done.complete = True
        self.faceless += not done.seen

    def _pictures(self, path: Path, done: FileProgress) -> Iterator[tuple[Image, int | None, float | None]]:
        """Yield the photo, or the remaining frames of a video at least ``every_s`` apart, as (image, frame number,
        seconds)."""
        if not is_video(path):
            yield read_image(path), None, None
            return
        from rtswap.media.inputs.video import VideoFile

        with closing(VideoFile(path, on_event=self._console.event)) as video:
            before, count = self._done, video.info.frame_count or _UNOPENED
            self._total += max(count - 1, 0)
            for frame in video.frames():
                self._done = before + min(frame.index, count)
                time_s = frame.time_s or 0.0
                if frame.index < done.frame or time_s < done.next_s:
                    continue
                yield frame.image, frame.index, time_s
                done.frame, done.next_s = frame.index + 1, time_s + self._options.every_s
                self._progress(f"{path.name} {int(time_s) // 60}:{int(time_s) % 60:02}")
            self._done = before + count - 1

    def _picture(
        self, path: Path, sha256: str, done: FileProgress, image: Image, frame: int | None, time_s: float | None
    ) -> None:
        """Process every face of one picture. The counters change once the picture is complete."""
        models = self._face_models()
        faces = measure_faces(image, models.photo_detector, models.landmarks)
        refused: Counter[str] = Counter()
        for number, seen in enumerate(faces, 1):
            name = name_of(path, sha256, frame, number, f".{self._options.format}")
            if self._album.has(name):
                continue  # stored before an interruption
            where = {"file": name, "source": str(path), "sha256": sha256, "frame": frame, "time_s": time_s}
            reason = self._face(image, seen, where)
            if reason:
                refused[reason] += 1
        done.seen += len(faces)
        self.seen += len(faces)
        for reason, count in refused.items():
            done.refused[reason] = done.refused.get(reason, 0) + count
        self.refused += refused
        if time.perf_counter() - self._saved_at > SAVE_EVERY_S:
            self._album.save()
            self._saved_at = time.perf_counter()

    def _face(self, image: Image, seen: MeasuredFace | None, where: dict[str, Any]) -> str:
        """Store the face and return an empty string, or return the reason to leave it out."""
        if seen is None:
            return UNCLEAR
        reason = self._options.limits.refusal(seen)
        if reason:
            return reason
        alike = self._near_duplicates()
        vector = alike.of(image, seen.keypoints) if alike is not None else None
        if alike is not None and not self._options.keep_all and alike.known(vector):
            return ALIKE
        matrix = placement(seen.keypoints, self._options.template, self._options.size)
        record = where | _record_of(seen, scale_of(matrix))
        record["matrix"] = [[round(float(v), 6) for v in row] for row in matrix]
        record["aligned"] = _round(transform(matrix, seen.keypoints))
        if self._options.embeddings and alike is not None:
            record["embedding"] = None if vector is None else [round(float(v), 5) for v in vector]
            record["embedded_by"] = alike.name
        self._album.add(cut_sharp(image, matrix, self._options.size), record)
        if alike is not None:
            alike.remember(vector, where["sha256"])
        self.kept += 1
        self.enlarged += scale_of(matrix) > ENLARGED
        return ""

    def _face_models(self) -> FaceModels:
        if self._models is None:
            self._models = self._open_models()
        return self._models

    def _near_duplicates(self) -> NearDuplicates | None:
        """The stored faces to compare with; None if neither duplicates nor embeddings matter. Faces of earlier runs
        are read back from their pictures."""
        options = self._options
        if self._alike is not None or (options.keep_all and not options.embeddings):
            return self._alike
        models = self._face_models()
        embedder, name = models.embedder(), "dlib"
        if embedder is None:
            embedder, name = models.recogniser, "rtswap"
        if embedder is None:
            return None
        self._alike = NearDuplicates(embedder, name, options.similar)
        for face in [] if options.keep_all else self._album.faces:
            try:
                picture = read_image(self._album.folder / face["file"])
            except InputError:
                continue  # the user deleted it
            self._alike.remember(self._alike.of(picture, np.array(face["aligned"], np.float32)), face["sha256"])
        return self._alike

    def _progress(self, line: str) -> None:
        self._console.progress(self._done, self._total, f"{line}  {plural(self.kept, 'face')}")

    def summary(self, interrupted: bool) -> dict[str, Any]:
        """The figures of the run, for text and JSON output."""
        found: dict[str, Any] = {"folder": str(self._album.folder), "faces": len(self._album.faces), "new": self.kept}
        found["files"] = len(self._files)
        found["refused"] = dict(self.refused.most_common())
        for name, count in zip(SKIPPED, (self.before, self.twice, self.faceless), strict=True):
            if count:
                found[name] = count
        if self.enlarged:
            found[f"enlarged more than {ENLARGED:g} times"] = self.enlarged
        if self.unreadable:
            found["unreadable"] = self.unreadable
        if interrupted:
            found["interrupted"] = True
        if self._alike is not None:
            found["told apart by"] = self._alike.name
        return found

    def nothing(self) -> InputError:
        """The error that says why no face was stored."""
        reasons = [f"{count} {reason}" for reason, count in self.refused.most_common()]
        unreadable = [plural(len(self.unreadable), "unreadable file")] if self.unreadable else []
        if reasons:
            got = f"{plural(self.seen, 'face')}: {', '.join(reasons + unreadable)}"
            return InputError("no face is good enough", got=got, do="See rtswap extract --help for the limits.")
        got = ", ".join([f"{plural(len(self._files) - len(self.unreadable), 'file')} without one", *unreadable])
        return InputError("no face found", got=got, do="Give photos or videos that show faces.")


def shown(result: Mapping[str, Any]) -> list[str]:
    """Format the result of ``extract`` as text: what is in the folder and what was left out."""
    files = plural(result["files"], "file")
    lines = [
        f"Wrote {result['folder']}: {plural(result['faces'], 'face')}, {result['new']} of them new, from {files}."
    ]
    if result["refused"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in result["refused"].items())
        lines.append(f"Faces left out: {reasons}.")
    skipped = [f"{result[name]} {name}" for name in SKIPPED if name in result]
    skipped += [f"{len(result['unreadable'])} unreadable"] if "unreadable" in result else []
    return [*lines, *([f"Files left out: {', '.join(skipped)}."] if skipped else [])]


def _record_of(seen: MeasuredFace, enlarged: float) -> dict[str, Any]:
    figures, pose = seen.figures, seen.pose
    quality = {
        "detected": seen.detected,
        "face_px": seen.face_px,
        "sharpness": figures.sharpness,
        **pose._asdict(),
        "light": figures.light,
        "clipped": figures.clipped,
        "outside": seen.outside,
    }
    return {
        "box": [round(float(v), 2) for v in seen.box],
        "keypoints": _round(seen.keypoints),
        "score": round(float(seen.score), 5),
        "enlarged": round(enlarged, 4),
        "quality": {name: round(float(value), 5) for name, value in quality.items()},
    }


def _round(points: np.ndarray[Any, Any]) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in points]
