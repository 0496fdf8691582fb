"""A studio in this process, and a client for its API."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from rtswap.app.config import Config
from rtswap.web.access import LOOPBACK, Access
from rtswap.web.server import make_app, make_runner
from rtswap.web.studio import Studio
from rtswap.web.studios import Studios
from rtswap.web.visitors import listen

WAIT_S = 60.0
JSON = "application/json"


@dataclass
class Answer:
    """What a request came to."""

    status: int
    headers: dict[str, str]
    data: bytes

    def json(self) -> Any:
        return json.loads(self.data)


@dataclass
class Client:
    """Sends requests to one studio."""

    port: int
    studio: Studio
    loop: asyncio.AbstractEventLoop
    app: web.Application

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        timeout: float = WAIT_S,
    ) -> Answer:
        """``body``: bytes go as they are, anything else as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else JSON
        try:
            connection.request(
                method, path, raw, ({"Content-Type": kind} if raw is not None else {}) | (headers or {})
            )
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The JSON of an answer that must be good."""
        return self.good("GET", path)

    def good(self, method: str, path: str, body: object = None) -> Any:
        """As ``send``, for an answer that must be good; its JSON."""
        answer = self.send(method, path, body)
        assert answer.status < 300, answer.data
        return answer.json() if answer.data and JSON in answer.headers.get("content-type", "") else None

    def until(self, found: Callable[[dict[str, Any]], object], seconds: float = WAIT_S) -> dict[str, Any]:
        """The first status that ``found`` says yes to."""
        end = time.monotonic() + seconds
        while True:
            status: dict[str, Any] = self.get("/api/status")
            if found(status):
                return status
            assert time.monotonic() < end, status
            time.sleep(0.05)


@contextmanager
def run_studio(config: Config, folder: Path, access: Access | None = None) -> Iterator[Client]:
    """A studio with its server in a thread."""
    loop = asyncio.new_event_loop()
    begun: list[Client] = []
    ready, end = threading.Event(), asyncio.Event()

    async def serve() -> None:
        studios = Studios(config, folder)
        app = make_app(studios, access or Access(LOOPBACK))
        runner = make_runner(app, 1.0)
        await runner.setup()
        listener = await listen(runner, "127.0.0.1", 0)
        begun.append(Client(listener.sockets[0].getsockname()[1], studios.main, loop, app))
        ready.set()
        await end.wait()
        listener.close()
        await runner.cleanup()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(WAIT_S)
        yield begun[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(WAIT_S)
    assert not thread.is_alive()
