"""Verify one file, picture or address: read its manifest, then look for the invisible mark in every frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote

from rtswap.commands.verify.fetch import fetch
from rtswap.core.errors import InputError, RtswapError, UsageError
from rtswap.core.parts import InputRequest
from rtswap.core.protocols import Input
from rtswap.core.urls import expanded, redact, scheme
from rtswap.disclosure.manifest import ManifestReport, read_manifest
from rtswap.disclosure.verdict import MarkReader, Verdict, chance, spans_of
from rtswap.disclosure.watermark_reader import Reading, WatermarkReader
from rtswap.media.inputs import open_input
from rtswap.media.inputs.stream import NetworkStream

WATCH_S = 30.0
"""Seconds of a live stream to read."""
WINDOWS_S = (0.1, 60.0)
Progress = Callable[[int, int | None], None]
"""Takes the frames done and the total, None if unknown."""
Event = Callable[[str], None]


def verify(
    path: str | Path,
    *,
    window_s: float = 2.0,
    reader: MarkReader | None = None,
    on_progress: Progress = lambda done, total: None,
    on_event: Event = lambda event: None,
) -> Verdict:
    """Find out whether and where rtswap's marks are in a video, picture or address. Read-only.

    ``window_s``: seconds of video to average, 0.1 to 60; weak marks need longer windows, short marks shorter ones.
    Of a live stream the first 30 s are read. Raises InputError if it cannot be read, UsageError for a wrong window.
    """
    if not WINDOWS_S[0] <= window_s <= WINDOWS_S[1]:
        raise UsageError("invalid window", expected=f"{WINDOWS_S[0]:g} to {WINDOWS_S[1]:g} s", got=f"{window_s:g} s")
    if not isinstance(path, str | Path):
        do = "Save a picture to a file first, as PNG or JPEG."
        raise UsageError("wrong type", expected="a path or an address", got=type(path).__name__, do=do)
    scan = _Scan(reader or WatermarkReader(window_s), on_progress)
    text = str(path)
    if scheme(text) in ("", "file"):
        file = expanded(unquote(text.removeprefix("file://")) if scheme(text) else text)
        return _verify_file(file, str(path), scan, on_event)
    name = redact(text)
    with fetch(text, name, on_event) as copy:
        if copy is not None:
            return _verify_file(copy, name, scan, on_event)
    with _stream(text, on_event) as stream:
        scan.at(stream, watch_s=WATCH_S)
    return scan.verdict(name, None, ["a stream has no manifest"])


class _Scan:
    """The mark readings of one input."""

    def __init__(self, reader: MarkReader, on_progress: Progress) -> None:
        self._reader, self._on_progress = reader, on_progress
        self._readings: list[Reading] = []
        self._frames = 0

    def at(self, input: Input, watch_s: float | None = None) -> None:
        """Read every frame, or ``watch_s`` seconds of a live input. Raises InputError if it breaks off."""
        total = input.info.frame_count
        began: float | None = None
        try:
            for frame in input.frames():
                began = frame.captured_at if began is None else began
                live_s = frame.captured_at - began
                self._readings += self._reader.add(frame.image, frame.time_s if frame.time_s is not None else live_s)
                self._frames += 1
                self._on_progress(self._frames, total)
                if input.info.live and watch_s is not None and live_s >= watch_s:
                    break
        finally:
            self._readings += self._reader.finish()

    @property
    def frames(self) -> int:
        return self._frames

    def verdict(self, name: str, manifest: ManifestReport | None, notes: list[str]) -> Verdict:
        return Verdict(
            name=name,
            spans=spans_of(self._readings),
            windows=len(self._readings),
            frames=self._frames,
            seconds=max((reading.to_s for reading in self._readings), default=0.0),
            false_positive=chance(self._readings),
            manifest=manifest,
            notes=tuple(notes),
        )


def _verify_file(path: Path, name: str, scan: _Scan, on_event: Event) -> Verdict:
    """Read the manifest and the frames. A failure of one becomes a note; raises InputError if both fail."""
    _require_file(path, name)
    notes: list[str] = []
    manifest: ManifestReport | None = None
    try:
        manifest = read_manifest(path)
    except RtswapError as error:  # damaged, or c2pa-python is not installed
        notes.append(_with_name(str(error), path, name))
    try:
        request = InputRequest(on_event=lambda event: on_event(_with_name(event, path, name)))
        opened = open_input(str(path.absolute()), request)
        with closing(opened) as input:
            scan.at(input)
    except InputError as error:
        if not scan.frames and manifest is None:
            raise InputError(_with_name(str(error), path, name)) from None
        notes.append(_with_name(str(error), path, name))
    return scan.verdict(name, manifest, notes)


def _with_name(message: str, path: Path, name: str) -> str:
    """Replace the path in a message by the name that the user typed."""
    return message.replace(str(path.absolute()), name).replace(str(path), name).rstrip(".")


def _require_file(path: Path, name: str) -> None:
    """Raise InputError unless ``path`` is a file; a number is not a camera here."""
    if not os.path.exists(path):
        raise InputError(f"no such file: {name[:300]!r}", expected="a video, a picture or an address")
    if not path.is_file():
        raise InputError(f"{name} is not a file", expected="a video, a picture or an address")


@contextmanager
def _stream(url: str, on_event: Event) -> Iterator[Input]:
    """Open a stream without reconnecting: after a break it may show something else."""
    opened: list[NetworkStream] = []

    def give_up(_: float) -> None:
        for stream in opened:
            stream.close()

    opened.append(NetworkStream(url, on_event=on_event, wait=give_up))
    try:
        yield opened[0]
    finally:
        opened[0].close()
