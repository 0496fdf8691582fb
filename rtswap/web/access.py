"""Access to the studio: checks of host, origin and token come first; headers keep other sites out.

A page of another site that the user visits can send requests here, too. ``Host`` must be a name of this server, which
ends DNS rebinding; ``Origin`` and ``Sec-Fetch-Site`` must be of the studio's own page, which ends forged requests.
On any other host than loopback every request needs the token. On loopback other users of the machine are refused.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from rtswap.web.peers import users_at
from rtswap.web.problems import Problem
from rtswap.web.visitors import KNOWN

COOKIE = "rtswap_token"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one server. ``names``: its names, without port. ``token``: None on loopback. ``any_address``: it
    listens on all addresses of the machine, so that any IP address may be its name."""

    names: Collection[str]
    token: str | None = None
    any_address: bool = False
    secure: bool = False
    """TLS."""
    own_token: str | None = None
    """As ``token``, for this user on this computer: what a browser is started with, all its users can read."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        return set(self.names) <= set(LOOPBACK)

    def check(self, request: web.Request) -> None:
        """Raises Problem for a request of somebody else."""
        if not self._is_own(_hostname(request.headers.get("Host", ""))):
            raise Problem(403, "this is not a name of the studio; expected the address that rtswap studio printed")
        if not all(self._is_same(origin, request) for origin in request.headers.getall("Origin", ())):
            raise Problem(403, "requests of other pages are refused")
        if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise Problem(403, "requests of other pages are refused")
        if self.token is not None and not self._knows_token(request):
            raise Problem(401, "the token is missing or wrong; open the link that rtswap studio printed")
        if self.token is None and _is_of_another_user(request):
            raise Problem(403, "the studio belongs to another user of this computer; start one of your own")

    def _is_own(self, name: str) -> bool:
        if name in self.names:
            return True
        try:
            return self.any_address and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _is_same(self, origin: str, request: web.Request) -> bool:
        expected = f"{'https' if self.secure else 'http'}://{request.headers.get('Host', '')}"
        return origin.lower() == expected.lower()

    def _knows_token(self, request: web.Request) -> bool:
        given = [
            request.query.get("token", ""),
            request.cookies.get(COOKIE, ""),
            request.headers.get("Authorization", "").removeprefix("Bearer "),
        ]
        known = [self.token, *([self.own_token] if _is_of_this_user(request) else [])]
        tokens = [token.encode() for token in known if token]
        words = [word.encode(errors="backslashreplace") for word in given]
        return any(hmac.compare_digest(word, token) for word in words for token in tokens)


def access_middleware(access: Access) -> Middleware:
    """Return the middleware that checks every request, and adds ``HEADERS`` to every answer. A link with the token
    sets a cookie and leads to the page without it, so that the token stays in no history."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        access.check(request)
        request.app[KNOWN].add(request.protocol)
        if access.token is not None and request.path == "/" and "token" in request.query:
            response = web.Response(status=303, headers={"Location": "/"})
            response.set_cookie(COOKIE, access.token, httponly=True, samesite="Strict", secure=access.secure)
            return response
        return await handler(request)

    return check


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add ``HEADERS`` to an answer before it is sent."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _is_of_another_user(request: web.Request) -> bool:
    """Whether the system says that somebody but this user, who may have used sudo, and the administrator sent it."""
    ours, theirs = (request.get_extra_info(name) for name in ("sockname", "peername"))
    if not ours or not theirs or not hasattr(os, "geteuid"):
        return False
    before_sudo = os.environ.get("SUDO_UID", "")
    own = {0, os.geteuid(), int(before_sudo) if before_sudo.isdecimal() else 0}
    return not users_at(theirs[1], ours[1]) <= own


def _is_of_this_user(request: web.Request) -> bool:
    """Whether it comes from this computer and, where the system says so, from this user."""
    ours, theirs = (request.get_extra_info(name) for name in ("sockname", "peername"))
    return bool(ours and theirs) and ours[0] == theirs[0] and not _is_of_another_user(request)


def _hostname(host: str) -> str:
    """The name in a Host header, without port and brackets; empty for none, and for one with anything beside them."""
    try:
        parts = urlsplit(f"//{host}")
    except ValueError:
        return ""
    return (parts.hostname or "").lower().rstrip(".") if parts.netloc == host and "@" not in host else ""
