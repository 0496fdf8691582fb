"""``rtswap extract``: cut out faces file by file and frame by frame; keep the finished ones when interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtswap.app.console import Console
from rtswap.app.networks import FaceModels
from rtswap.app.overwriting import one_file, refuse
from rtswap.commands.extract.album import SHEET, Album, FileProgress, encode
from rtswap.commands.extract.cutting import cut_face
from rtswap.commands.extract.files import files_in, hash_of, is_video, name_of
from rtswap.commands.extract.grouping import group
from rtswap.commands.extract.known_faces import KnownFaces
from rtswap.commands.extract.measure import UNCLEAR, MeasuredFace, measure_faces
from rtswap.commands.extract.options import ExtractOptions
from rtswap.commands.extract.person import check_person, choose_person
from rtswap.commands.extract.sheet import draw_faces
from rtswap.commands.extract.smoothing import smooth
from rtswap.commands.extract.views import View, views_of
from rtswap.core.errors import InputError
from rtswap.core.text import clock, plural
from rtswap.core.types import Image, Points
from rtswap.faceset.record import NOBODY
from rtswap.faceset.table import TABLE
from rtswap.vision.images import read_image

ENLARGED = 1.5
"""Enlargement above which a face is counted in the summary."""
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
    if options.person:
        check_person(options.person)
    out = options.out.expanduser()
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
    if album.faces and (run.kept or run.others or not (album.folder / SHEET).exists()):
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
        self._known: KnownFaces | None = None
        self._looked_back = False
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
        self.people = self.others = 0
        """Number of people, and of the faces of others that were removed again."""
        self.refused: Counter[str] = Counter()
        self.unreadable: dict[str, str] = {}
        """File -> reason."""

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
                self.unreadable[str(path)] = str(error)
                self._console.event(f"left out: {error}")
            self._done = max(self._done, counted + 1)
            self._progress(path.name)
        self._done = self._total

    def finish(self) -> None:
        """Say who the faces are, and keep only the person that was asked for."""
        album, person = self._album, self._options.person
        unknown = all(face.person == NOBODY for face in album.faces)
        if not album.faces or not (self.kept or unknown or person):
            return
        self._console.status("grouping the faces by person")
        known = self._known_faces(with_stored=True)
        album.assign(group(album.faces, dict(zip(known.files, known.vectors, strict=True)), known.name))
        self.people = len({face.person for face in album.faces} - {NOBODY})
        if person:
            chosen = choose_person(person, album.faces, known, self._face_models())
            others = [face for face in album.faces if face.person != chosen]
            self.others = len(others)
            album.remove(others)

    def _hash(self, path: Path) -> str | None:
        with suppress(InputError):
            return hash_of(path)
        return None

    def _file(self, path: Path) -> None:
        """Process one file. Raises InputError if it cannot be read to its end."""
        sha256 = hash_of(path)
        if sha256 in self._hashes:
            self.twice += 1
            return
        self._hashes.add(sha256)
        done = self._album.begin(sha256, path.name)
        if done is None:
            self.before += 1
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
        self.faceless += not done.seen

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
            self._done = before + count - 1

    def _view(self, path: Path, sha256: str, done: FileProgress, view: View) -> None:
        """Process every face of one picture."""
        models = self._face_models()

        def refined(mesh: Points) -> Points:
            return smooth(models.landmarks, view, mesh, self._options.smooth_s)

        if view.before or view.after:
            faces = measure_faces(view.image, models.photo_detector, models.landmarks, refined)
        else:
            faces = measure_faces(view.image, models.photo_detector, models.landmarks)
        for number, seen in enumerate(faces, 1):
            name = name_of(path, sha256, view.frame, number, f".{self._options.format}")
            source = {"clip": path.name, "sha256": sha256, "frame": view.frame, "time_s": view.time_s}
            reason = self._face(view.image, seen, name, source)
            if reason:
                done.refused[reason] = done.refused.get(reason, 0) + 1
                self.refused[reason] += 1
        done.seen += len(faces)
        self.seen += len(faces)

    def _face(self, image: Image, seen: MeasuredFace | None, name: str, source: dict[str, Any]) -> str:
        """Store the face and return an empty string, or return the reason to leave it out."""
        if seen is None:
            return UNCLEAR
        options = self._options
        reason = options.limits.refusal(seen)
        if reason:
            return reason
        cut = cut_face(image, seen, name, options.template, options.size, self._face_models().occlusion_model)
        known = self._known_faces(with_stored=not options.keep_all)
        vector = known.of(cut.picture, cut.record.keypoints)
        if not options.keep_all and known.known(vector):
            return ALIKE
        record = replace(cut.record, **source, licence=options.licence, provenance=options.provenance)
        if options.embeddings and vector is not None:
            record = replace(record, embedding=vector, space=known.name)
        self._album.add(record, cut.data, cut.mask)
        known.remember(vector, name)
        self.kept += 1
        self.enlarged += record.quality["enlarged"] > ENLARGED
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
        if self.people:
            found["people"] = self.people
        if self.others:
            found["others removed"] = self.others
        if self._known is not None:
            found["told apart by"] = self._known.name
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
