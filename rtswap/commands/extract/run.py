"""``rtswap extract``: cut out faces file by file and frame by frame; keep the finished ones when interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtswap.app.console import Console
from rtswap.app.networks import FaceModels
from rtswap.app.overwriting import one_file, refuse
from rtswap.commands.extract.album import Album, FileProgress, encode
from rtswap.commands.extract.aligned_sets import (
    check_template,
    cut_aligned,
    export,
    files_of,
    open_aligned,
    template_of,
)
from rtswap.commands.extract.cutting import CutFace, cut_face
from rtswap.commands.extract.files import files_in, hash_of, is_video, name_of
from rtswap.commands.extract.grouping import group
from rtswap.commands.extract.known_faces import KnownFaces
from rtswap.commands.extract.measurement import UNCLEAR, MeasuredFace, measure_faces
from rtswap.commands.extract.options import ExtractOptions
from rtswap.commands.extract.person import check_person, choose_person
from rtswap.commands.extract.sheet import draw_faces
from rtswap.commands.extract.smoothing import smooth
from rtswap.commands.extract.tally import ENLARGED, Tally
from rtswap.commands.extract.views import View, views_of
from rtswap.core.errors import InputError
from rtswap.core.text import clock, plural
from rtswap.core.types import Image, Points
from rtswap.core.urls import expanded
from rtswap.faceset.record import NOBODY
from rtswap.faceset.table import SHEET, TABLE
from rtswap.vision.images import read_image

ALIKE = "alike"
"""Reason to leave out a face: it nearly equals one that is already stored."""
OTHER_TYPE = "of another face type"
_UNOPENED = 1
"""Assumed frame count of a video that is not open yet, for the progress bar."""


def extract(
    options: ExtractOptions, open_models: Callable[[], FaceModels], *, console: Console
) -> tuple[dict[str, Any], int]:
    """Return the summary and the exit code. Load the networks when the first file needs them.

    Raises InputError if no face was stored, UsageError, OutputError.
    """
    if options.from_dfl:
        files = files_of(expanded(options.inputs[0]))
        options = replace(options, template=template_of(files), format="jpg", keep_all=True)
    else:
        files = files_in(options.inputs, expanded(options.out), console.event)
    if options.to_dfl is not None:
        check_template(options.template)
    if not files:
        raise InputError(f"no photo or video found in {', '.join(options.inputs)[:300]}", do="Check the path.")
    if options.person:
        check_person(options.person)
    out = expanded(options.out)
    refuse([(str(path), "one of the inputs") for path in files], [one_file(out / name) for name in (TABLE, SHEET)])
    album = Album(out, options.settings(), overwrite=options.overwrite)
    if album.started_over:
        console.event(f"{album.folder}: the faces of an earlier run with other settings were removed")
    run = _Extraction(options, album, open_models, console, files)
    interrupted = False
    try:
        run.work()
        run.finish()
    except KeyboardInterrupt:
        interrupted = True
        console.event("interrupted: the faces so far are saved; run the same command again to continue")
    finally:
        album.close()
    if album.faces and (run.tally.kept or run.tally.others or not (album.folder / SHEET).exists()):
        album.write(SHEET, encode(draw_faces(album.folder, album.faces), ".png"))
    if not album.faces and not interrupted:
        raise run.tally.nothing()
    found = run.summary(interrupted)
    if options.to_dfl is not None and not interrupted:
        found["exported"] = export(out, options.to_dfl, overwrite=options.overwrite, console=console)
    return found, 0


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
        self._known: KnownFaces | None = None
        self._looked_back = False
        self._done, self._total = 0, 0
        self._hashes: set[str] = set()
        self.tally = Tally(len(files))

    def work(self) -> None:
        """Process every file."""
        self._total = len(self._files)
        if self._options.overwrite:
            self._album.drop({sha256 for sha256 in map(self._hash, self._files) if sha256})
        for path in self._files:
            counted = self._done
            try:
                self._file(path)
            except InputError as error:
                self.tally.unreadable[str(path)] = str(error)
                self._console.event(f"left out: {error}")
            self._done = max(self._done, counted + 1)
            self._progress(path.name)
        self._done = self._total

    def finish(self) -> None:
        """Say who the faces are, and keep only the person of ``--person``."""
        album, person = self._album, self._options.person
        unknown = all(face.person == NOBODY for face in album.faces)
        if not album.faces or not (self.tally.kept or unknown or person):
            return
        self._console.status("grouping the faces by person")
        known = self._known_faces(with_stored=True)
        album.assign(group(album.faces, dict(zip(known.files, known.vectors, strict=True)), known.name))
        self.tally.people = len({face.person for face in album.faces} - {NOBODY})
        if person:
            chosen = choose_person(person, album.faces, known, self._face_models())
            others = [face for face in album.faces if face.person not in chosen]
            self.tally.others = len(others)
            album.remove(others)

    def _hash(self, path: Path) -> str | None:
        with suppress(InputError):
            return hash_of(path)
        return None

    def _file(self, path: Path) -> None:
        """Process one file. Raises InputError if it cannot be read to its end."""
        sha256 = hash_of(path)
        if sha256 in self._hashes:
            self.tally.twice += 1
            return
        self._hashes.add(sha256)
        done = self._album.begin(sha256, path.name)
        if done is None:
            self.tally.before += 1
            return
        if self._options.from_dfl:
            self._take_aligned(path, sha256, done)
            return
        try:
            for view in self._views(path, done):
                self._view(path, sha256, done, view)
                if view.frame is not None:
                    done.frame, done.next_s = view.frame + 1, (view.time_s or 0.0) + self._options.every_s
                    self._album.settle(sha256)
        except InputError:
            if not done.seen and not done.frame:
                del self._album.done[sha256]
            raise
        done.complete = True
        self._album.settle(sha256)
        self.tally.faceless += not done.seen

    def _take_aligned(self, path: Path, sha256: str, done: FileProgress) -> None:
        """Take over a face that DeepFaceLab aligned. Raises InputError."""
        try:
            face = open_aligned(path)
            cut = cut_aligned(path, face, name_of(path, sha256, None, 1, ".jpg"), self._face_models())
        except InputError:
            del self._album.done[sha256]
            raise
        why = OTHER_TYPE if face.template != self._options.template else UNCLEAR if cut is None else ""
        if cut is not None and not why:
            why = self._store(cut, {"sha256": sha256})
        done.complete, done.seen, done.refused = True, 1, {why: 1} if why else {}
        self.tally.seen += 1
        self.tally.refused.update(done.refused)
        self._album.settle(sha256)

    def _views(self, path: Path, done: FileProgress) -> Iterator[View]:
        """Yield the photo, or the remaining frames of a video at least ``every_s`` apart."""
        if not is_video(path):
            yield View(read_image(path))
            return
        from rtswap.media.inputs.video import VideoFile

        with closing(VideoFile(path, on_event=self._console.event)) as video:
            before, count = self._done, video.info.frame_count or _UNOPENED
            self._total += max(count - 1, 0)
            for view in views_of(
                video.frames(),
                fps=video.info.fps,
                every_s=self._options.every_s,
                window_s=self._options.smooth_s,
                first=done.frame,
                next_s=done.next_s,
            ):
                yield view
                self._done = before + min(view.frame or 0, count)
                self._progress(f"{path.name} {clock(view.time_s or 0.0)}")
            self._done = before + count

    def _view(self, path: Path, sha256: str, done: FileProgress, view: View) -> None:
        """Process every face of one picture."""
        models = self._face_models()

        def refined(mesh: Points) -> tuple[Points, Points]:
            return smooth(models.landmarks, view, mesh, self._options.smooth_s)

        video = bool(view.before or view.after)
        faces = measure_faces(view.image, models.photo_detector, models.landmarks, refined if video else None)
        for number, seen in enumerate(faces, 1):
            name = name_of(path, sha256, view.frame, number, f".{self._options.format}")
            source = {"clip": path.name, "sha256": sha256, "frame": view.frame, "time_s": view.time_s}
            reason = self._face(view.image, seen, name, source)
            if reason:
                done.refused[reason] = done.refused.get(reason, 0) + 1
                self.tally.refused[reason] += 1
        done.seen += len(faces)
        self.tally.seen += len(faces)

    def _face(self, image: Image, seen: MeasuredFace | None, name: str, source: dict[str, Any]) -> str:
        """Store the face and return an empty string, or return the reason to leave it out."""
        if seen is None:
            return UNCLEAR
        options = self._options
        reason = options.limits.refusal(seen)
        if reason:
            return reason
        cut = cut_face(image, seen, name, options.template, options.size, self._face_models())
        return self._store(cut, source)

    def _store(self, cut: CutFace, source: dict[str, Any]) -> str:
        """As ``_face``, for a face that was cut out."""
        options = self._options
        known = self._known_faces(with_stored=not options.keep_all)
        vector = known.of(cut.picture, cut.record.keypoints)
        if not options.keep_all and known.known(vector):
            return ALIKE
        record = replace(cut.record, **source, licence=options.licence, provenance=options.provenance)
        if options.embeddings and vector is not None:
            record = replace(record, embedding=vector, space=known.name)
        self._album.add(record, cut.data, cut.mask)
        known.remember(vector, record.file)
        self.tally.kept += 1
        self.tally.enlarged += record.quality["enlarged"] > ENLARGED
        return ""

    def _face_models(self) -> FaceModels:
        if self._models is None:
            self._models = self._open_models()
        return self._models

    def _known_faces(self, *, with_stored: bool) -> KnownFaces:
        """The stored faces; those of earlier runs, which are read back from their pictures, only if asked for."""
        if self._known is None:
            models = self._face_models()
            embedder, name = models.embedder(), "dlib"
            if embedder is None:
                embedder, name = models.spaces["rtswap"](), "rtswap"
            self._known = KnownFaces(embedder, name, self._options.similar)
        if with_stored and not self._looked_back:
            self._looked_back = True
            there = set(self._known.files)
            for face in self._album.faces:
                if face.file in there:
                    continue
                with suppress(InputError):  # the user deleted it
                    picture = read_image(self._album.folder / face.file)
                    self._known.remember(self._known.of(picture, face.keypoints), face.file)
        return self._known

    def _progress(self, line: str) -> None:
        self._console.progress(self._done, self._total, f"{line}  {plural(self.tally.kept, 'face')}")

    def summary(self, interrupted: bool) -> dict[str, Any]:
        """The figures of the run, for text and JSON output."""
        found = {"folder": str(self._album.folder), "faces": len(self._album.faces)} | self.tally.summary()
        if interrupted:
            found["interrupted"] = True
        if self._known is not None:
            found["told apart by"] = self._known.name
        return found
