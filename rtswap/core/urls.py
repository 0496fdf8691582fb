"""Parse network addresses and remove secrets from them for display."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]{1,31}):/{1,2}([^/\s].*)", re.IGNORECASE | re.DOTALL)
"""Without a limit on the scheme a text of a million letters takes hours."""
_LOGIN = re.compile(r":[^\s/:@]+@")
"""The password in ``user:password@host``, also where no scheme is before it, or a mistyped one."""
_PIECE = re.compile(r"[^/?#&=;:@,\s\\'\"]{5,}")
"""A part of an address that may be a secret."""
_HOST = re.compile(r"[a-z0-9.:_-]{0,253}")
_NAME = re.compile(r"[A-Za-z]{1,16}([._-][A-Za-z0-9]{1,8}){0,2}|[A-Za-z]{0,12}[0-9]{1,4}(\.[A-Za-z0-9]{1,5})?")
"""``live``, ``cam_2``, ``stream1``, ``clip.mp4``: short, and no random mix of letters and digits."""
_KEY, _VALUE = re.compile(r"[a-z_]{1,24}"), re.compile(r"[A-Za-z0-9.]{1,16}")
_HARMLESS = frozenset(
    ("mode", "latency", "pkt_size", "fifo_size", "buffer_size", "overrun_nonfatal", "ttl", "timeout", "transtype")
)
"""Query parameters of SRT and UDP that hold no secret."""


def scheme(spec: str) -> str:
    """Return the scheme in lower case (``rtmp`` of ``rtmp://host/app``), or an empty string if ``spec`` is not a URL
    (``C:\\clip.mp4`` is not)."""
    match = _SCHEME.match(spec)
    return match.group(1).lower() if match else ""


def port(url: str) -> int | None:
    """The port in a URL; None if there is none, or no number."""
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def redact(url: str) -> str:
    """Return a URL that is safe to display: scheme, host, port, and names and values that do not look like a secret.

    A secret may be anywhere (``/hls/TOKEN/live.m3u8``, ``?TOKEN``), so everything not known to be harmless becomes
    ``***``. Never raises.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{scheme(url)}://***"
    if "@" in parts.path + parts.query + parts.fragment or not _HOST.fullmatch(host):
        return f"{scheme(url)}://***"  # a password that contains / ? or # was parsed as the host
    host = f"[{host}]" if ":" in host else host
    secret = "***@" if "@" in parts.netloc else ""
    query = "&".join(map(_redact_pair, parts.query.split("&"))) if parts.query else ""
    return urlunsplit((parts.scheme, f"{secret}{host}{port}", _redact_path(parts.scheme, parts.path), query, ""))


def hide_secrets(text: str, words: Iterable[str]) -> str:
    """Return ``text`` with the addresses in ``words`` redacted. What is hidden of one is hidden anywhere: a message
    may repeat a part of it, or the path that it would be where a file is expected."""
    listed = list(words)
    for login in {login for word in listed for login in _LOGIN.findall(word)}:
        text = text.replace(login, ":***@")
    for given in (found for word in listed for found in _ADDRESS.finditer(word)):
        name, rest = given.groups()
        if name.lower() == "file":
            continue
        shown = redact(f"{name}://{rest}")
        text = text.replace(f"{name}://{rest}", shown)
        pieces = {piece for piece in _PIECE.findall(rest) if piece in text and piece not in shown}
        for piece in sorted(pieces, key=len, reverse=True):
            text = text.replace(piece, "***")
    return text


def _redact_path(scheme_: str, path: str) -> str:
    """Show the first path segment; for http(s) also the file name. In other protocols later segments are often stream
    keys."""
    names = path.split("/")[1:]
    web = scheme_.lower() in ("http", "https")
    shown = {0, len(names) - 1} if web and "." in "".join(names[-1:]) else {0}
    return "".join(
        "/" + (name if not name or (at in shown and _NAME.fullmatch(name)) else "***")
        for at, name in enumerate(names)
    )


def _redact_pair(pair: str) -> str:
    key, equals, value = pair.partition("=")
    if not equals or not _KEY.fullmatch(key):
        return "***"
    return pair if key in _HARMLESS and _VALUE.fullmatch(value) else f"{key}=***"


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path, ``~`` as the home of its user. A name that begins with it and is no user's is that of a file."""
    return Path(os.path.expanduser(path))


def trimmed(address: str) -> str:
    """Return an address without the blanks around it, unless they belong to the name of a file that is there."""
    bare = address.strip()
    if bare == address or scheme(bare) or not os.path.lexists(os.path.expanduser(address)):
        return bare
    return address


def local_path(address: str) -> Path:
    """Return the path of an address without a scheme or with ``file://``."""
    address = trimmed(address)
    return expanded(unquote(address.removeprefix("file://")) if scheme(address) else address)


def shown_if_missing(path: Path) -> tuple[str, str]:
    """Return what was given, and what to do, about a file that is not there; of an address ``Path`` leaves one
    slash."""
    named = _ADDRESS.match(str(path))
    if named is None:
        return str(path), "Check the path."
    shown = str(path) if named[1] == "file" else redact(f"{named[1]}://{named[2]}")
    return shown, "It is an address: download it first, and give the file."
