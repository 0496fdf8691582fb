"""A client for http and https that trusts no server: certificates are verified, redirects cannot leave the web or
https, public servers lead into no private network, and everything has a time limit, however slowly a server sends."""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from email.message import Message
from functools import partial
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from rtswap.core.urls import scheme

_STALL_S = 15.0
"""A server that sends nothing for this long is given up, also within the time limit."""


Meet = Callable[[socket.socket, str], None]
_OWN_NAMES = ("localhost", "local", "internal", "lan", "home", "arpa")
"""Last parts of names that belong to no public server."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of which the last 32 bits are one of IPv4."""


class Web:
    """Opens addresses, one at a time; keeps cookies in between. Errors are OSErrors with one-line messages.

    ``authorities``: a file with CA certificates to trust instead of the system's. ``https_only``: refuse addresses
    and redirects without encryption; a redirect from https to http is refused in any case.
    """

    def __init__(self, *, limit_s: float, authorities: str = "", https_only: bool = False) -> None:
        """``limit_s``: see ``allow``."""
        self.allow(limit_s)
        self._public: bool | None = None
        """Whether the first connection leads to a public address."""
        self._schemes = ("https",) if https_only else ("http", "https")
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Handler(self._left_s, self._meet, ssl.create_default_context(cafile=authorities or None)),
            _Redirects(self._schemes),
            urllib.request.HTTPCookieProcessor(CookieJar()),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def allow(self, seconds: float) -> None:
        """Let everything from now on, connecting and reading, take at most ``seconds`` in total."""
        self._until = time.monotonic() + seconds

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Open ``url``. Raises OSError, also for an HTTP error, another scheme or an invalid address."""
        try:
            plain, login = _without_login(url)
            if scheme(plain) not in self._schemes:
                raise OSError("an address that is not " + " or ".join(self._schemes))
            request = urllib.request.Request(plain, headers={"User-Agent": "rtswap"} | dict(headers or {}))
            for name, value in login.items():
                request.add_unredirected_header(name, value)
            return Answer(self._opener.open(request, timeout=self._left_s()))
        except urllib.error.HTTPError as error:
            error.close()
            raise OSError(f"HTTP {error.code}") from None
        except urllib.error.URLError as error:
            raise OSError(_why(error.reason)) from None
        except OSError as error:
            raise OSError(_why(error)) from None
        except (ValueError, http.client.InvalidURL):  # whose message repeats a part of it
            raise OSError("an invalid address") from None
        except http.client.HTTPException as error:
            raise OSError(_why(error)) from None

    def _meet(self, connected: socket.socket, behind: str) -> None:
        """Check where a connection leads, before anything is asked. Raises OSError for one that leads from a public
        server into a private network, where a request from here may be believed: of this machine, of a router.
        ``behind``: the host that a proxy is to ask; only its name is known. Empty without a proxy."""
        public = sounds_public(behind) if behind else is_public(connected.getpeername()[0])
        if self._public and not public:
            raise OSError("a public server that leads into a private network")
        self._public = public if self._public is None else self._public

    def _left_s(self) -> float:
        """Return for how many seconds the next step may wait. Raises TimeoutError if there is no time left."""
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no complete answer in time")
        return min(left_s, _STALL_S)


class Answer:
    """The content of an address, as a file."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self.url: str = response.url
        """The address after redirects."""
        self.headers: Message = response.headers

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes as they arrive; empty at the end. Raises OSError."""
        try:
            data: bytes = self._response.read1(size)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise OSError(_why(error)) from None
        return data

    def close(self) -> None:
        self._response.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Redirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, schemes: tuple[str, ...]) -> None:
        self._schemes = schemes

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        allowed = ("https",) if req.type == "https" else self._schemes
        if scheme(newurl) not in allowed:
            raise urllib.error.URLError(f"a redirect to {scheme(newurl) or 'no address'}, not {' or '.join(allowed)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Handler(urllib.request.AbstractHTTPHandler):
    """Opens http and https with sockets that observe the time limit."""

    def __init__(self, left_s: Callable[[], float], meet: Meet, context: ssl.SSLContext) -> None:
        super().__init__()
        self._left_s, self._meet, self._context = left_s, meet, context
        self.http_request = self.https_request = self.do_request_

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Connection, left_s=self._left_s, meet=self._meeting(request)), request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        made = partial(_TlsConnection, left_s=self._left_s, meet=self._meeting(request), context=self._context)
        return self.do_open(made, request)

    def _meeting(self, request: urllib.request.Request) -> Callable[[socket.socket], None]:
        proxied = request.has_proxy() or bool(getattr(request, "_tunnel_host", None))
        behind = (urlsplit(request.full_url).hostname or "") if proxied else ""
        return lambda connected: self._meet(connected, behind)


class _Connection(http.client.HTTPConnection):
    def __init__(
        self, *args: Any, left_s: Callable[[], float], meet: Callable[[socket.socket], None], **named: Any
    ) -> None:
        super().__init__(*args, **named)
        self._left_s, self._meet = left_s, meet

    def connect(self) -> None:
        super().connect()
        self._meet(self.sock)
        self.sock = _TimedSocket(self.sock, self._left_s)


class _TlsConnection(_Connection, http.client.HTTPSConnection):
    """The same over TLS."""


class _TimedSocket:
    """What ``http.client`` needs of a socket."""

    def __init__(self, connected: socket.socket, left_s: Callable[[], float]) -> None:
        self._socket, self._left_s = connected, left_s

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._left_s())
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._socket, self._left_s))

    def close(self) -> None:
        self._socket.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, connected: socket.socket, left_s: Callable[[], float]) -> None:
        self._socket, self._left_s = connected, left_s
        self._raw = connected.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._left_s())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64 or found.ipv4_mapped:
            return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF).is_global
        return found.is_global and not found.is_site_local
    return found.is_global


def sounds_public(host: str) -> bool:
    """Whether a host, of which only the name or the address as it was written is known, may be of the public
    network."""
    try:
        return is_public(host)
    except ValueError:
        first, dot, last = host.rstrip(".").rpartition(".")
        return bool(first and dot) and last.lower() not in _OWN_NAMES and not last.isdecimal()


def _without_login(url: str) -> tuple[str, dict[str, str]]:
    """Return the address without ``user:password@``, and the header that says it. Raises ValueError."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    coded = b64encode(unquote(login).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {coded}"}


def _why(error: object) -> str:
    """Return the cause in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"an untrusted certificate ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "no complete answer in time"
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
