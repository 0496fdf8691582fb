"""The outputs that a client may open: recording, virtual camera, stream. The studio chooses the file names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from rtswap.app.config import Config
from rtswap.app.marking import make_signer
from rtswap.app.run import output_request
from rtswap.core.errors import OutputError, OutputExists, UsageError, reason
from rtswap.core.parts import OutputRequest
from rtswap.core.protocols import Output
from rtswap.core.types import MarkedImage, StreamInfo
from rtswap.core.urls import redact
from rtswap.media.outputs import open_output
from rtswap.media.outputs.video import VideoWriter
from rtswap.web.addresses import stream_address

STREAMS = ("rtmp", "rtmps", "rtsp", "rtsps", "srt", "udp")
"""Schemes of addresses that a client may send to."""
MOST_OUTPUTS = 8


@dataclass
class Added:
    """An output that a client opened. It implements ``protocols.Output``, to notice when it fails."""

    id: str
    kind: str
    """record, vcam or stream"""
    words: str
    """Name for people, without secrets."""
    output: Output
    told: list[BaseException]
    """Where its failure is noted when it can take no more pictures."""
    path: Path | None = None
    """Of a recording."""
    began: float = field(default_factory=time.time)
    ended: float | None = None
    failure: BaseException | None = None

    @property
    def name(self) -> str:
        return self.output.name

    @property
    def is_whole(self) -> bool:
        """Whether this is a recording that is finished and there. What has its name while it has another is not."""
        if self.path is None or self.ended is None or not isinstance(self.output, VideoWriter):
            return False
        return self.path.is_file() and not self.output.partial_path.exists()

    def send(self, image: MarkedImage) -> None:
        """As ``protocols.Output``."""
        try:
            with self._watch():
                self.output.send(image)
        except BaseException as error:
            self.told.append(error)
            raise

    def close(self) -> None:
        """As ``protocols.Output``."""
        try:
            with self._watch():
                self.output.close()
        finally:
            self.ended = self.ended or time.time()

    @contextmanager
    def _watch(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.failure = self.failure or error
            self.ended = self.ended or time.time()
            raise

    def plain(self) -> dict[str, Any]:
        """Return it as JSON, with the size and length of a recording."""
        found: dict[str, Any] = {"id": self.id, "kind": self.kind, "name": self.words}
        found |= {"seconds": round((self.ended or time.time()) - self.began, 1), "finished": self.ended is not None}
        found |= {"failure": None if self.failure is None else str(self.failure), "download": self.is_whole}
        if self.path is not None:
            partial = getattr(self.output, "partial_path", self.path)
            place = partial if partial.exists() else self.path
            found |= {"bytes": place.stat().st_size if place.exists() else 0}
            found |= {"file": self.path.name, "folder": str(self.path.parent)}
        return found


class Outputs:
    """The outputs of a studio; recordings stay listed when they are finished. ``folder``: where they are written.
    ``tag``: in the names of recordings, for studios that write into one folder."""

    def __init__(self, config: Config, folder: Path, *, tag: str, on_event: Callable[[str], None]) -> None:
        self._config, self._folder, self._tag, self._on_event = config, folder, tag, on_event
        self._ids = count(1)
        self._added: dict[str, Added] = {}
        self._told: list[BaseException] = []

    def listed(self) -> list[dict[str, Any]]:
        """All of them, as JSON, the newest last."""
        return [added.plain() for added in self._added.values()]

    def get(self, id: str) -> Added:
        """Raises UsageError for an unknown or finished output."""
        if id not in self._added or self._added[id].ended is not None:
            raise UsageError("no such output", do="GET /api/outputs lists them.")
        return self._added[id]

    def recording(self, id: str) -> Path:
        """The file of a finished recording. Raises UsageError."""
        added = self._added.get(id)
        if added is None or added.path is None or not added.is_whole:
            raise UsageError("no such recording", do="GET /api/outputs lists them; one that runs is not finished.")
        return added.path

    def open(self, kind: str, address: str, info: StreamInfo) -> Added:
        """Open an output, for pictures of an input like this. Raises OutputError, UsageError."""
        if sum(one.ended is None for one in self._added.values()) >= MOST_OUTPUTS:
            raise UsageError(f"{MOST_OUTPUTS} outputs are open already", do="Close one.")
        if kind == "record":
            place = words = ""
        elif kind == "vcam":
            place, words = "vcam", "virtual camera"
        elif kind == "stream":
            place = stream_address(address, STREAMS, "rtmp://live.example/app/key")
            words = redact(place)
        else:
            raise UsageError("wrong output", expected="kind: record, vcam or stream", got=repr(kind)[:40])
        if kind == "vcam" and any(one.kind == kind and one.ended is None for one in self._added.values()):
            raise UsageError("the virtual camera is on already")
        sign = make_signer(self._config, None, self._on_event)
        request = output_request(self._config, info, sign, self._on_event)
        request = replace(request, live=True)
        output = self._recording(request) if kind == "record" else open_output(place, request)
        path = Path(output.name) if kind == "record" else None
        self._forget_failed()
        words = path.name if path is not None else words
        added = Added(f"output-{next(self._ids)}", kind, words, output, self._told, path)
        self._added[added.id] = added
        return added

    def remove(self, id: str) -> None:
        """Note that an output is closed; a recording stays listed."""
        added = self._added[id]
        added.ended = added.ended or time.time()
        if added.path is None:
            del self._added[id]

    def have_told(self, error: BaseException) -> bool:
        """Whether the session has told this when it closed an output, and went on without it."""
        return any(one is error for one in self._told)

    def session_ended(self) -> None:
        """Note that all outputs are closed."""
        self._told.clear()
        for id in list(self._added):
            self.remove(id)

    def _forget_failed(self) -> None:
        for one in [one for one in self._added.values() if one.ended is not None and one.path is None]:
            del self._added[one.id]

    def _recording(self, request: OutputRequest) -> VideoWriter:
        """A recording under a name that no file has, and that no other studio, which may have begun in the same
        second, gives to its own. Raises OutputError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot record into {self._folder}", got=reason(error)) from None
        name = time.strftime("rtswap-%Y%m%d-%H%M%S") + self._tag
        paths = (self._folder / f"{name}{f'-{number}' if number > 1 else ''}.mp4" for number in count(1))
        known = [one.path for one in self._added.values()]
        while (path := next(paths)) in known or (output := _writer(path, request)) is None:
            pass
        return output


def _writer(path: Path, request: OutputRequest) -> VideoWriter | None:
    """A recording; None if there is one of this name, or another program writes it. Raises OutputError."""
    try:
        output = VideoWriter(path, replace(request, overwrite=False))
    except OutputExists:
        return None
    if output.partial_path.stem == f"{path.stem}.partial" and not path.exists():
        return output
    output.close()
    return None
