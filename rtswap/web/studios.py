"""The studios of one server, and the networks that they share."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from rtswap.app.config import Config
from rtswap.app.networks import Networks
from rtswap.core.errors import UsageError
from rtswap.engines.locked_engine import lock_engine, on_gpu
from rtswap.web.studio import Studio

MAIN = "main"
MOST_STUDIOS = 4


class SharedNetworks:
    """The networks in use, each compiled once for all studios with the same engine. Called from any thread.

    Networks on a GPU are not shared: what they return is in memory that the next run uses again."""

    def __init__(self) -> None:
        self._held: WeakValueDictionary[Any, Networks] = WeakValueDictionary()
        self._lock = Lock()

    def get(self, config: Config, *, use: str, on_event: Callable[[str], None]) -> Networks:
        """Return those for one ``use``: uses do not wait for each other. Raises ModelError, EngineError."""
        with self._lock:
            found = self._held.get((use, config.engine))
            if found is None:
                found = Networks(config, on_event=on_event, wrap=lock_engine)
                if not any(on_gpu(engine) for engine in found.engines.values()):
                    self._held[use, config.engine] = found
            return found


class Studios:
    """A picture each, with its own input, faces, settings and outputs. The first is always there."""

    def __init__(self, config: Config, folder: Path, *, echo: Callable[[str], None] = lambda event: None) -> None:
        """As ``Studio``."""
        self._make = partial(Studio, config, folder, networks=SharedNetworks(), echo=echo)
        self._open = {MAIN: self._make()}

    @property
    def main(self) -> Studio:
        """The first."""
        return self._open[MAIN]

    def get(self, id: str) -> Studio:
        """Raises UsageError for an unknown id."""
        if id not in self._open:
            raise UsageError("no such session", got=id[:40], do="GET /api/sessions lists them.")
        return self._open[id]

    def listed(self) -> list[dict[str, Any]]:
        """All of them, as JSON."""
        found = [(id, one.status(since=10**9)) for id, one in self._open.items()]
        return [{"id": id} | {name: status[name] for name in ("state", "input")} for id, status in found]

    def to_close(self) -> list[str]:
        """Those to close for a new one if there is no room: no page shows them, and no camera but a page's."""
        if len(self._open) < MOST_STUDIOS:
            return []
        return [id for id, one in self._open.items() if id != MAIN and one.is_left]

    def open(self) -> str:
        """Open another; returns its id. Raises UsageError for too many."""
        if len(self._open) >= MOST_STUDIOS:
            do = "Stop the picture in a window that is not needed, and close that window."
            raise UsageError(f"{MOST_STUDIOS} pictures are open already", do=do)
        id = secrets.token_hex(4)
        self._open[id] = self._make(tag=f"-{id}")
        return id

    def take(self, id: str) -> Studio:
        """Take one out, for the caller to close. Raises UsageError for the first and for an unknown one."""
        if id == MAIN:
            raise UsageError("the first session stays", do="DELETE /api/session stops its picture.")
        studio = self.get(id)
        del self._open[id]
        return studio

    async def close(self) -> None:
        """Close all."""
        for studio in self._open.values():
            await studio.close()
