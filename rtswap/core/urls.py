"""Network addresses as the user types them, and as they may be shown."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_SECRET = re.compile(r"pass|secret|token|key|auth|sig|streamid|user|cred", re.IGNORECASE)


def scheme(spec: str) -> str:
    """``rtmp`` of ``rtmp://host/app``, lower case; empty where ``spec`` is no URL (``C:\\clip.mp4`` is none)."""
    match = _SCHEME.match(spec)
    return match.group(1).lower() if match else ""


def redact(url: str) -> str:
    """The URL without what opens doors: password and user, secret-looking query values, an RTMP stream key.

    Never raises: what cannot be parsed is cut down to its scheme.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{scheme(url)}://***"
    if ":" in host:
        host = f"[{host}]"
    secret = "***@" if parts.username or parts.password else ""
    query = urlencode(
        [(k, "***" if _SECRET.search(k) else v) for k, v in parse_qsl(parts.query, keep_blank_values=True)], safe="*"
    )
    return urlunsplit((parts.scheme, f"{secret}{host}{port}", _redact_path(parts.scheme, parts.path), query, ""))


def _redact_path(scheme_: str, path: str) -> str:
    """RTMP's convention is /app/key: from the second part on it is what lets one broadcast."""
    if not scheme_.lower().startswith("rtmp"):
        return path
    app, _, key = path.lstrip("/").partition("/")
    return f"/{app}/***" if key else path


def local_path(address: str) -> Path:
    """The file that an address without a scheme, or with ``file://``, means."""
    address = address.strip()
    return Path(unquote(address.removeprefix("file://")) if scheme(address) else address).expanduser()
