"""Whom FFmpeg talks to over TLS: it takes any certificate unless it is told to look.

Names and certificates are checked as a browser does. Trusted are the authorities that this computer trusts, else
those of ``certifi``; or those in a file of the user's (``--tls-ca``), in their place.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from rtswap.core.errors import UsageError
from rtswap.core.urls import scheme

SCHEMES = ("https", "rtmps", "rtsps", "tls")
_MAY_LEAD_THERE = (*SCHEMES, "http")
"""A web server may send one on to https."""
_SPECIAL = re.compile(r"([\\':|\[\]=\s])")


def verified(url: str, ca_file: str | None = None) -> dict[str, str]:
    """FFmpeg's options for ``url``; none where nothing is encrypted. Raises UsageError for a bad ``ca_file``."""
    if scheme(url) not in _MAY_LEAD_THERE:
        return {}
    authorities = _checked(ca_file) if ca_file is not None else _authorities()
    return {"tls_verify": "1"} | ({"ca_file": authorities} if authorities else {})


def hint(url: str, usual: str) -> str:
    """What to do where ``url`` cannot be opened. FFmpeg does not say that it was the certificate."""
    if scheme(url) not in SCHEMES:
        return usual
    return f"{usual} If its certificate is your own, name it: --tls-ca FILE."


def through_tee(url: str, format: str, options: dict[str, str]) -> str:
    """The address with which FFmpeg's ``tee`` opens ``url``: PyAV gives a muxer's connection no options, tee does."""
    named = ":".join(f"{key}={_escaped(_escaped(value))}" for key, value in ({"f": format} | options).items())
    return f"[{named}]{_escaped(url)}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _authorities() -> str:
    """A file with the certificates that are trusted here; empty where FFmpeg has to know by itself."""
    found = ssl.get_default_verify_paths().cafile
    if found:
        return found
    try:
        import certifi
    except ImportError:
        return ""
    return certifi.where()


def _checked(ca_file: str) -> str:
    path = Path(ca_file).expanduser()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ValueError) as error:
        reason = "no certificate" if isinstance(error, ssl.SSLError) else getattr(error, "strerror", "") or str(error)
        raise UsageError(f"--tls-ca {ca_file}", expected="a file with certificates (PEM)", got=reason) from None
    return str(path.absolute())
