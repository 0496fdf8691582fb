"""The inputs of a studio's session. A client names a camera, an uploaded clip or an address in
the network, never a path."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtswap.app.config import Config
from rtswap.app.run import input_request
from rtswap.core.errors import UsageError
from rtswap.core.protocols import Input
from rtswap.core.urls import redact, scheme
from rtswap.media.cameras import list_cameras
from rtswap.media.inputs import open_input
from rtswap.media.playback import Playback
from rtswap.web.browser_camera import BrowserCamera

STREAMS = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "srt", "udp")
"""Schemes of addresses that a client may name."""
CLIP_BYTES = 2_000_000_000
MOST_CLIPS = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """An input, checked."""

    words: str
    """For people, without secrets."""
    kind: str
    open: Callable[[], Input]
    """Raises InputError."""


class Inputs:
    """The inputs of one studio. Uploaded clips lie in a private folder that goes with it."""

    def __init__(self, config: Config, *, camera: BrowserCamera, on_event: Callable[[str], None]) -> None:
        self._config, self._on_event = config, on_event
        self.browser = camera
        self._folder = tempfile.TemporaryDirectory(prefix="rtswap-studio-")
        self._clips: dict[str, str] = {}
        self._arriving: set[str] = set()

    def close(self) -> None:
        """Delete the uploaded clips."""
        self._folder.cleanup()

    def listed(self) -> dict[str, Any]:
        """List the cameras of this machine, the input given at the start, and the uploaded clips, as JSON."""
        cameras = [
            {"index": one.index, "name": one.name, "virtual": one.virtual, "modes": list(one.modes_in_words())[:4]}
            for one in list_cameras()
        ]
        clips = [{"id": id, "name": name} for id, name in self._clips.items()]
        return {"cameras": cameras, "clips": clips, "given": self._given_words()}

    def clip_path(self, id: str) -> Path:
        """Where a clip lies."""
        return Path(self._folder.name) / id

    def new_clip(self) -> tuple[str, Path]:
        """The id and place of a clip to be uploaded, and then kept or dropped. Raises UsageError for too many."""
        if len(self._clips) + len(self._arriving) >= MOST_CLIPS:
            raise UsageError(f"there are {MOST_CLIPS} clips already", do="Remove one: DELETE /api/clips/ID")
        id = secrets.token_hex(8)
        self._arriving.add(id)
        return id, self.clip_path(id)

    def keep_clip(self, id: str, name: str) -> None:
        """Offer an uploaded clip after checking that it can be read. Raises InputError."""
        self._opened(str(self.clip_path(id))).close()
        self._clips[id] = name
        self._arriving.discard(id)

    def drop_clip(self, id: str) -> None:
        """Delete what arrived of a clip."""
        self.clip_path(id).unlink(missing_ok=True)
        self._arriving.discard(id)

    def remove_clip(self, id: str) -> None:
        """Delete a clip. Raises UsageError for an unknown one."""
        if self._clips.pop(id, None) is None:
            raise UsageError("no such clip")
        self.clip_path(id).unlink(missing_ok=True)

    def check(self, spec: dict[str, Any]) -> Wanted:
        """Check what a client asked for. Raises UsageError."""
        kind, config = spec.get("kind"), self._config.input
        if kind == "browser":
            return Wanted("the camera of the browser", "browser", self.browser.opened)
        if kind == "given" and self._given_words():
            return Wanted(self._given_words(), "given", lambda: self._paced(config.address))
        if kind == "camera":
            index = spec.get("index")
            if type(index) is not int or not 0 <= index <= 255:
                raise UsageError("wrong camera", expected="index: a whole number from 0 to 255", got=str(index)[:40])
            return Wanted(f"camera {index}", "camera", lambda: self._opened(str(index)))
        if kind == "url":
            address = spec.get("url")
            if not isinstance(address, str) or scheme(address.strip()) not in STREAMS or "\0" in address:
                got = redact(str(address)[:200]) if isinstance(address, str) and scheme(address) else "something else"
                raise UsageError("wrong address", expected=f"a URL that begins with {', '.join(STREAMS)}", got=got)
            return Wanted(redact(address.strip()), "url", lambda: self._paced(address.strip()))
        if kind == "clip":
            id = spec.get("id")
            if not isinstance(id, str) or id not in self._clips:
                raise UsageError("no such clip", do="POST /api/clips uploads one.")
            return Wanted(self._clips[id], "clip", lambda: self._paced(str(self.clip_path(id))))
        expected = "kind: browser, camera, url, clip or given"
        raise UsageError("wrong input", expected=expected, got=repr(kind)[:40])

    def _given_words(self) -> str:
        """The ``--input`` of the start, for people; empty for the default camera, which is in the list of cameras."""
        address = self._config.input.address
        if address.isdecimal():
            return ""
        return redact(address) if scheme(address) else Path(address).name

    def _paced(self, address: str) -> Input:
        """A recording is played at its own speed, again and again."""
        first = self._opened(address)
        if first.info.live:
            return first
        waiting = [first]
        return Playback(lambda: waiting.pop() if waiting else self._opened(address), self._on_event)

    def _opened(self, address: str) -> Input:
        return open_input(address, input_request(self._config, self._on_event))
