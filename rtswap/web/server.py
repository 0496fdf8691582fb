"""The web server: routes, the page's files, and the life of it all."""

from __future__ import annotations

import asyncio
import errno
import mimetypes
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from aiohttp import web

from rtswap.app.config import Config
from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.core.interrupts import ENDING
from rtswap.core.version import __version__
from rtswap.web.access import LOOPBACK, Access, access_middleware, add_headers
from rtswap.web.openapi import API_VERSION, document
from rtswap.web.problems import Problem, fault_log, problems
from rtswap.web.routes import config, offer, pictures, sessions, sources, status
from rtswap.web.routes import session as session_routes
from rtswap.web.routes.offer import PEERS
from rtswap.web.routes.route import ARRIVING, STUDIOS, Route
from rtswap.web.studios import Studios
from rtswap.web.visitors import KNOWN, listen

PAGE = "index.html"
CLOSE_S = 2.0
"""Time for answers that are being sent when the server ends."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the studio listens."""

    host: str = "127.0.0.1"
    port: int = 7860
    token: str | None = None
    """Every request needs it; None on loopback."""
    certificate: Path | None = None
    """PEM file with the certificate chain; None: no TLS."""
    key: Path | None = None
    own_token: str | None = None
    """As for ``Access``."""

    @property
    def link(self) -> str:
        """The link to open."""
        return self._link_with(self.token)

    @property
    def own_link(self) -> str:
        """The link with which a browser of this computer is started."""
        return self._link_with(self.own_token)

    def _link_with(self, token: str | None) -> str:
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}/" + (
            f"?token={token}" if token else ""
        )

    def access(self) -> Access:
        """The rules of who may use it."""
        anywhere, own = self.host in ("0.0.0.0", "::"), socket.gethostname().lower()
        names = (*LOOPBACK, self.host.lower(), *((own, f"{own}.local") if anywhere else ()))
        secure = self.certificate is not None
        return Access(names, token=self.token, any_address=anywhere, secure=secure, own_token=self.own_token)

    def tls(self) -> ssl.SSLContext | None:
        """Raises UsageError for a certificate that cannot be used."""
        if self.certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError) as error:
            expected = "a certificate chain and its key, both PEM"
            raise UsageError(f"cannot use {self.certificate}", expected=expected, got=reason(error)) from None
        return context


def make_app(studios: Studios, access: Access) -> web.Application:
    """Return the application for these studios."""
    app = web.Application(middlewares=[problems, access_middleware(access)], client_max_size=0)
    app.on_response_prepare.append(add_headers)
    app[STUDIOS], app[PEERS] = studios, offer.Peers(loopback=access.loopback)
    app[KNOWN], app[ARRIVING] = set(), set()
    listed: list[Route] = []
    for part in (config, sources, session_routes, sessions, pictures, status, offer):
        listed += part.ROUTES
    described = document(listed)

    async def openapi(request: web.Request) -> web.Response:
        return web.json_response(described)

    async def version(request: web.Request) -> web.Response:
        return web.json_response({"version": API_VERSION, "rtswap": __version__, "openapi": "/api/openapi.json"})

    listed += [
        Route("GET", "/api", version, "The version of the API"),
        Route("GET", "/api/openapi.json", openapi, "This document"),
    ]
    described |= document(listed)
    for route in listed:
        app.router.add_route(route.method, route.path, route.handler)
    app.router.add_get("/", page)
    app.router.add_get("/{file}", page)

    async def end(app: web.Application) -> None:
        await app[PEERS].close()
        await studios.close()

    app.on_shutdown.append(end)
    return app


def make_runner(app: web.Application, close_s: float = CLOSE_S) -> web.AppRunner:
    """Create what serves the application. Nothing that a client sends is logged, and nothing unpacked: no browser
    sends compressed bodies, and aiohttp unpacks those of strangers, too. ``close_s``: as ``CLOSE_S``."""
    return web.AppRunner(app, access_log=None, logger=fault_log(), shutdown_timeout=close_s, auto_decompress=False)


async def page(request: web.Request) -> web.Response:
    """A file of the page. Only names that are in its folder lead anywhere."""
    name = request.match_info.get("file", PAGE)
    folder = resources.files("rtswap").joinpath("assets/studio")
    for item in folder.iterdir():
        if item.name == name and item.is_file():
            kind = mimetypes.types_map.get(Path(name).suffix, "application/octet-stream")
            return web.Response(
                body=item.read_bytes(), content_type=kind, charset="utf-8" if "text" in kind else None
            )
    raise Problem(404, "there is no such page")


async def serve(
    config: Config,
    address: Address,
    folder: Path,
    *,
    on_event: Callable[[str], None],
    ready: Callable[[Address], None],
) -> None:
    """Serve until Ctrl-C. ``ready`` is called when it listens, with its address. Raises UsageError, OutputError."""
    tls = address.tls()
    studios = Studios(config, folder, echo=on_event)
    runner = make_runner(make_app(studios, address.access()))
    await runner.setup()
    async with AsyncExitStack() as ended:
        ended.push_async_callback(runner.cleanup)
        try:
            listener = await listen(runner, address.host, address.port, tls)
            ended.callback(listener.close)
            address = replace(address, port=listener.sockets[0].getsockname()[1])
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            do = (
                "Close the program that uses it, or choose another with --port."
                if taken
                else "Check --host and --port."
            )
            raise OutputError(f"cannot listen on {address.host}:{address.port}", got=reason(error), do=do) from None
        ready(address)
        await _wait_for_end()


async def _wait_for_end() -> None:
    """Wait for Ctrl-C or another signal that ends programs. A closed terminal is ignored under ``nohup``."""
    end, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (one for one in ENDING if signal.getsignal(one) is not signal.SIG_IGN):
        with suppress(NotImplementedError, RuntimeError):  # Windows: KeyboardInterrupt ends the loop
            loop.add_signal_handler(number, end.set)
    await end.wait()


def run(
    config: Config,
    address: Address,
    folder: Path,
    *,
    on_event: Callable[[str], None],
    ready: Callable[[Address], None],
) -> None:
    """Run ``serve`` from synchronous code."""
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(config, address, folder, on_event=on_event, ready=ready))
