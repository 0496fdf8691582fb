"""The state of the studio: its settings, sources and the one session that may run, with its outputs."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zlib import crc32

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, Networks, bind_models
from rtswap.core.errors import RtswapError, UsageError
from rtswap.media.live_sound import LiveSound
from rtswap.runtime.background import background
from rtswap.source.personas import list_personas
from rtswap.web.browser_camera import BrowserCamera
from rtswap.web.inputs import Inputs, Wanted
from rtswap.web.loop import Cast, Loop
from rtswap.web.outputs import Outputs
from rtswap.web.settings import needs_restart, with_values
from rtswap.web.shelf import Shelf
from rtswap.web.viewer import Viewer

EVENTS = 200
"""How many of the last events are kept."""
MOST_CHOSEN = 16
BEGUN = {"record": "recording {}", "vcam": "turning the virtual camera on", "stream": "connecting to {}"}
"""What is said of a new output, by kind."""
T = TypeVar("T")


class ShareNetworks(Protocol):
    """Where studios get their networks."""

    def get(self, config: Config, *, use: str, on_event: Callable[[str], None]) -> Networks:
        """Those of one engine for one ``use``. Raises ModelError, EngineError."""
        ...


class Studio:
    """Used in the event loop. Changes come one after the other; what takes long runs in other threads."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        *,
        networks: ShareNetworks,
        tag: str = "",
        echo: Callable[[str], None] = lambda event: None,
    ) -> None:
        """``folder``: for recordings. ``networks``: those that studios share. ``tag``: in the names of its
        recordings. ``echo`` is told every event, too."""
        self.config, self._shared = config, networks
        self._echo, self._loop = echo, asyncio.get_running_loop()
        self._changing = asyncio.Lock()
        self._builds = background("rtswap-changes")
        self._running: Loop | None = None
        self._run: asyncio.Task[None] | None = None
        self._wanted: Wanted | None = None
        self._networks: dict[str, Networks] = {}
        """By use: ``live`` and ``photos``. They stay loaded while a studio holds them."""
        self.events: deque[tuple[int, float, str]] = deque(maxlen=EVENTS)
        """(number, seconds since 1970, text)"""
        self._numbered = 0
        self.id = secrets.token_hex(4)
        """Pages tell by it whether this is the studio that they were drawn for."""
        self.pages = 0
        """How many pages show it."""
        self.ended = False
        """Whether it was closed; pages that show it are to look for another."""
        self.state = "idle"
        """idle, starting, running or stopping"""
        self.camera = BrowserCamera(self.on_event)
        self.viewer = Viewer(self._loop, self.on_event)
        self.inputs = Inputs(config, camera=self.camera, on_event=self.on_event)
        self.shelf = Shelf(config, lambda: self._models("photos", config), on_event=self.on_event)
        self.outputs = Outputs(config, folder, tag=tag, on_event=self.on_event)
        self.cast = Cast("given" if config.source.photos else list_personas()[0].source)

    def on_event(self, text: str) -> None:
        """Note an event, from any thread."""
        self._loop.call_soon_threadsafe(self._note, text)

    def _note(self, text: str) -> None:
        if self.events and self.events[-1][2] == text:
            return
        self._numbered += 1
        self.events.append((self._numbered, time.time(), text))
        self._echo(text)

    async def close(self) -> None:
        """Stop, and forget everything that was uploaded."""
        self.ended = True
        await self.stop()
        self.inputs.close()
        self.viewer.stop()
        self._builds.shutdown(wait=False, cancel_futures=True)

    # settings

    async def configure(self, values: Mapping[str, Any]) -> bool:
        """Change settings. Returns whether the loop had to be restarted. Raises RtswapError, with nothing changed."""
        async with self._changing:
            after = with_values(self.config, values)
            if self._running is None or self._wanted is None:
                self.config = after
                return False
            if not needs_restart(self.config, after):
                await self._beside(self._running.change, after)
                self.config = after
                return False
            loop = await asyncio.to_thread(self._make_loop, after)  # the old one goes on if this fails
            self.config = after
            await self._end()
            await self._begin(self._wanted, loop)
            return True

    # the session

    async def start(self, spec: dict[str, Any]) -> None:
        """Begin a session, ending the one that runs. Raises RtswapError."""
        wanted = self.inputs.check(spec)
        async with self._changing:
            await self._end()
            await self._begin(wanted)

    async def stop(self) -> None:
        """End the session: recordings are finished."""
        if self._running is not None:
            self._running.stop()  # also while a change is waited for
        self.camera.cancel()
        async with self._changing:
            await self._end()

    async def _begin(self, wanted: Wanted, made: Loop | None = None) -> None:
        self.state, self._wanted = "starting", wanted
        try:
            loop = await asyncio.to_thread(self._prepare, wanted, made)
        finally:
            self.state = "idle"
        self._running, self.state = loop, "running"
        self._run = asyncio.create_task(asyncio.to_thread(loop.run))
        self._run.add_done_callback(partial(self._on_end, loop))
        self._note(f"live: {wanted.words}")

    def _prepare(self, wanted: Wanted, made: Loop | None) -> Loop:
        """Load what is needed, unless it is ``made``, then turn the camera on; runs in another thread."""
        loop = made or self._make_loop(self.config)
        input = wanted.open()
        try:
            loop.begin(input, [self.viewer])
        except BaseException:
            input.close()
            raise
        return loop

    def _make_loop(self, config: Config) -> Loop:
        """Load what a session with these settings needs; runs in another thread. Raises RtswapError."""
        models, spare = self._models("live", config), self.shelf.models
        cast = Cast(self.cast.main)  # people are chosen in a picture
        return Loop(config, cast, self.shelf.identity, models=models, spare=spare, on_event=self.on_event)

    def _models(self, use: str, config: Config) -> FaceModels:
        """New models for one thread, on shared networks."""
        networks = self._networks[use] = self._shared.get(config, use=use, on_event=self.on_event)
        return bind_models(networks, config)

    async def _end(self) -> None:
        if self._run is None or self._running is None:
            return
        self.state = "stopping"
        self._running.stop()
        await asyncio.wait({self._run})

    def _on_end(self, loop: Loop, run: asyncio.Task[None]) -> None:
        """Note that the session has ended."""
        if self._running is not loop:
            return
        self._running = self._run = None
        self.state = "idle"
        self.cast = replace(self.cast, chosen={})
        self.viewer.end()
        error = None if run.cancelled() else run.exception()
        if error is not None and self.outputs.have_told(error):
            error = None
        self.outputs.session_ended()
        if isinstance(error, RtswapError):
            self._note(f"stopped: {error}")
        else:
            self._note("stopped" if error is None else f"stopped by a bug: {error!r}")

    @property
    def running(self) -> Loop | None:
        """The loop that runs."""
        return self._running

    @property
    def is_left(self) -> bool:
        """Whether no page shows it, and nothing runs that goes on without one."""
        return not self.pages and (self.state == "idle" or self.uses_browser)

    @property
    def uses_browser(self) -> bool:
        """Whether the session's camera is a browser's."""
        return self._wanted is not None and self._wanted.kind == "browser"

    @property
    def sound(self) -> LiveSound | None:
        """The sound of the session's input; None if nothing runs or it has none."""
        return None if self._running is None else self._running.info.live_sound

    # sources and people

    async def shelve(self, work: Callable[[], T]) -> T:
        """Run ``work`` on the shelf in another thread, one call at a time. Raises what it raises."""
        async with self._changing:
            return await asyncio.to_thread(work)

    async def remove_source(self, id: str) -> None:
        """Forget an uploaded source; those who had its face are covered or get the main one. Raises SourceError,
        UsageError."""
        async with self._changing:
            source = self.shelf.get(id)
            if source.id == self.cast.main:
                raise UsageError(f"{source.name} is in use", do="Choose another face first.")
            chosen = {person: None if one == id else one for person, one in self.cast.chosen.items()}
            await self._recast(replace(self.cast, chosen=chosen))
            if self._running is not None:
                await asyncio.to_thread(self._running.forget, id)
            self.shelf.remove(id)

    async def give(self, main: str | None, chosen: Mapping[int, str | None], *, leave: list[int]) -> None:
        """Say who gets which face. ``main``: None for the same. ``chosen``: changes by the ids of people; ``leave``:
        people who get the main one again. Raises RtswapError, with nothing changed."""
        async with self._changing:
            after = {person: id for person, id in {**self.cast.chosen, **chosen}.items() if person not in leave}
            if len(after) > MOST_CHOSEN:
                raise UsageError("too many people", expected=f"at most {MOST_CHOSEN} chosen people")
            cast = Cast(main or self.cast.main, after)
            for id in cast.ids:
                await asyncio.to_thread(self.shelf.identity, id)
            await self._recast(cast)

    async def _beside(self, change: Callable[[T], None], to: T) -> None:
        """Build what a change needs in another thread at the lowest priority."""
        await self._loop.run_in_executor(self._builds, change, to)

    async def _recast(self, cast: Cast) -> None:
        if self._running is not None:
            await self._beside(self._running.recast, cast)
        self.cast = cast

    # outputs

    async def add_output(self, kind: str, address: str = "") -> dict[str, Any]:
        """Open another output of the session that runs. Raises OutputError, UsageError."""
        async with self._changing:
            loop = self._running
            if loop is None:
                raise UsageError("nothing is running", do="Start a session first: POST /api/session")
            added = await asyncio.to_thread(self.outputs.open, kind, address, loop.info)
            await asyncio.to_thread(loop.add_output, added)
            self._note(BEGUN[kind].format(added.words))
            return added.plain()

    async def remove_output(self, id: str) -> None:
        """Finish and close an output. Raises UsageError."""
        async with self._changing:
            added = self.outputs.get(id)
            if self._running is not None:
                await asyncio.to_thread(self._running.remove_output, added)
            self.outputs.remove(id)
            self._note(f"finished: {added.words}")

    # status

    def status(self, since: int = 0) -> dict[str, Any]:
        """The state of session, outputs and people, as JSON. ``since``: only events with a higher number."""
        loop, seen = self._running, self.viewer.seen
        people: list[dict[str, Any]] = []
        figures: dict[str, Any] = {}
        size = None if seen is None else seen.size
        if loop is not None:
            figures = loop.metrics.recent() if loop.metrics.frames else {}
            people = loop.people(size) if size else []
        return {
            "state": self.state,
            "input": None if self._wanted is None or loop is None else self._wanted.words,
            "kind": None if self._wanted is None or loop is None else self._wanted.kind,
            "asked": None if self._wanted is None or loop is None else self._wanted.spec,
            "size": size,
            "sound": self.sound is not None,
            "engine": loop.engine if loop is not None else None,
            "waiting": loop is not None and self.uses_browser and self.camera.is_lost,
            "figures": figures,
            "share": self.viewer.share,
            "covered": seen.covered if seen is not None else 0,
            "reasons": sorted(seen.reasons) if seen is not None else [],
            "people": people,
            "main": self.cast.main,
            "outputs": self.outputs.listed(),
            "events": [{"number": n, "time": at, "text": text} for n, at, text in self.events if n > since],
            "studio": self.id,
            "changed": self._changed(),
        }

    def _changed(self) -> dict[str, int]:
        """A number each, which is another once what its name says is different: another page may have changed it."""
        sources = [source.plain() for source in self.shelf.sources]
        found = {"settings": self.config, "sources": sources, "inputs": self.inputs.added()}
        return {name: crc32(repr(value).encode("utf-8", "replace")) for name, value in found.items()}
