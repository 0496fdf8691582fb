"""The inputs of a studio's session. A client names a camera, an uploaded clip or an address in
the network, never a path. Addresses are kept until the studio ends, as clips are, so that pages can offer them again
without knowing the passwords in them."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtswap.app.config import Config
from rtswap.app.run import input_request
from rtswap.core.errors import InputError, UsageError
from rtswap.core.protocols import Input
from rtswap.core.urls import redact, scheme
from rtswap.media.cameras import list_cameras
from rtswap.media.inputs import open_input
from rtswap.media.playback import Playback
from rtswap.web.addresses import stream_address
from rtswap.web.browser_camera import BrowserCamera

STREAMS = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "srt", "udp")
"""Schemes of addresses that a client may name."""
CLIP_BYTES = 2_000_000_000
MOST_CLIPS = MOST_ADDRESSES = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """An input, checked."""

    words: str
    """For people, without secrets."""
    spec: dict[str, Any]
    """What a client asks for to get it again, without secrets."""
    open: Callable[[], Input]
    """Raises InputError."""

    @property
    def kind(self) -> str:
        """browser, camera, url, clip or given."""
        return str(self.spec["kind"])


class Inputs:
    """The inputs of one studio. Uploaded clips lie in a private folder that goes with it."""

    def __init__(self, config: Config, *, camera: BrowserCamera, on_event: Callable[[str], None]) -> None:
        self._config, self._on_event = config, on_event
        self.browser = camera
        self._folder = tempfile.TemporaryDirectory(prefix="rtswap-studio-")
        self._clips: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._arriving: set[str] = set()
        self._in_use = ""
        """The clip or address that was asked for last; it makes no room for others."""

    def close(self) -> None:
        """Delete the uploaded clips."""
        self._folder.cleanup()

    def listed(self) -> dict[str, Any]:
        """List the cameras of this machine, the input given at the start, and what was added, as JSON."""
        cameras = [
            {"index": one.index, "name": one.name, "virtual": one.virtual, "modes": list(one.modes_in_words())[:4]}
            for one in list_cameras()
        ]
        return {"cameras": cameras, "given": self._given_words(), **self.added()}

    def added(self) -> dict[str, list[dict[str, str]]]:
        """List the uploaded clips and the addresses, without secrets, as JSON."""
        return {
            "clips": [{"id": id, "name": name} for id, name in self._clips.items()],
            "addresses": [{"id": id, "name": redact(address)} for id, address in self._addresses.items()],
        }

    def clip_path(self, id: str) -> Path:
        """Where a clip lies."""
        return Path(self._folder.name) / id

    def new_clip(self) -> tuple[str, Path]:
        """The id and place of a clip to be uploaded, and then kept or dropped. The oldest one makes room. Raises
        UsageError while too many arrive."""
        if len(self._clips) + len(self._arriving) >= MOST_CLIPS:
            oldest = next((id for id in self._clips if id != self._in_use), None)
            if oldest is None:
                raise UsageError(f"{MOST_CLIPS} clips are there or arriving already", do="Send this one later.")
            self.remove_clip(oldest)
        id = secrets.token_hex(8)
        self._arriving.add(id)
        return id, self.clip_path(id)

    def keep_clip(self, id: str, name: str) -> None:
        """Offer an uploaded clip after checking that it can be read. Raises InputError."""
        self._open_clip(id, name).close()
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

    def add_address(self, address: str) -> str:
        """Offer an address of a stream; its id. The oldest one makes room. Raises UsageError for what is none."""
        address = stream_address(address, STREAMS, "rtsp://192.168.1.20/stream")
        for id, known in self._addresses.items():
            if known == address:
                return id
        if len(self._addresses) >= MOST_ADDRESSES:
            del self._addresses[next(id for id in self._addresses if id != self._in_use)]
        id = secrets.token_hex(8)
        self._addresses[id] = address
        return id

    def check(self, spec: dict[str, Any]) -> Wanted:
        """Check what a client asked for. Raises UsageError."""
        kind, config = spec.get("kind"), self._config.input
        if kind == "browser":
            return Wanted("the camera of the browser", {"kind": kind}, self.browser.opened)
        if kind == "given" and self._given_words():
            return Wanted(self._given_words(), {"kind": kind}, lambda: self._paced(self._of(config.address)))
        if kind == "camera":
            index = spec.get("index")
            if type(index) is not int or not 0 <= index <= 255:
                raise UsageError("wrong camera", expected="index: a whole number from 0 to 255", got=str(index)[:40])
            again = {"kind": kind, "index": index}
            return Wanted(f"camera {index}", again, self._of(str(index)))
        if kind == "url":
            id, address = spec.get("id"), spec.get("url")
            if id is None and isinstance(address, str):
                id = self.add_address(address)
            if not isinstance(id, str) or id not in self._addresses:
                raise UsageError("no such address", do="Give url, or an id that GET /api/inputs lists.")
            self._in_use, address = id, self._addresses[id]
            return Wanted(redact(address), {"kind": kind, "id": id}, lambda: self._paced(self._of(address)))
        if kind == "clip":
            id = spec.get("id")
            if not isinstance(id, str) or id not in self._clips:
                raise UsageError("no such clip", do="POST /api/clips uploads one.")
            self._in_use, name = id, self._clips[id]
            again = {"kind": kind, "id": id}
            return Wanted(name, again, lambda: self._paced(lambda: self._open_clip(id, name)))
        expected = "kind: browser, camera, url, clip or given"
        raise UsageError("wrong input", expected=expected, got=repr(kind)[:40])

    def _given_words(self) -> str:
        """The ``--input`` of the start, for people; empty for the default camera, which is in the list of cameras."""
        address = self._config.input.address
        if address.isdecimal():
            return ""
        return redact(address) if scheme(address) else Path(address).name

    def _paced(self, open: Callable[[], Input]) -> Input:
        """A recording is played at its own speed, again and again."""
        first = open()
        if first.info.live:
            return first
        waiting = [first]
        return Playback(lambda: waiting.pop() if waiting else open(), self._on_event)

    def _of(self, address: str) -> Callable[[], Input]:
        return lambda: open_input(address, input_request(self._config, self._on_event))

    def _open_clip(self, id: str, name: str) -> Input:
        """People know a clip by its name, and not by the place where the studio keeps it."""
        place = str(self.clip_path(id))

        def named(text: str) -> str:
            return text.replace(place, name)

        try:
            return open_input(place, input_request(self._config, lambda event: self._on_event(named(event))))
        except InputError as error:
            raise InputError(named(error.what), expected=error.expected, got=error.got, do=error.do) from None
