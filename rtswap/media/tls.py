"""Verify TLS certificates in FFmpeg, which by default accepts any certificate.

Host names and certificates are checked as in a browser, against the system's CA certificates, else those of
``certifi``; or against the user's file (``--tls-ca``) instead.
"""

from __future__ import annotations

import re
import ssl

from rtswap.core.errors import UsageError
from rtswap.core.files import open_regular
from rtswap.core.urls import expanded, scheme

SCHEMES = ("https", "rtmps", "rtsps", "tls")
_SPECIAL = re.compile(r"([\\':|\[\]=\s])")


def with_verification(url: str, ca_file: str | None = None) -> dict[str, str]:
    """Return FFmpeg's TLS options for ``url``; empty for an unencrypted protocol. Raises UsageError for an invalid
    ``ca_file``."""
    if scheme(url) not in SCHEMES:
        return {}
    file = authorities(ca_file)
    return {"tls_verify": "1"} | ({"ca_file": file} if file else {})


def authorities(ca_file: str | None = None) -> str:
    """Return the path of the trusted CA certificates: of ``ca_file`` if it is given, else the system's; empty to use
    the library's default. Raises UsageError for an invalid ``ca_file``."""
    if ca_file is not None:
        return _check(ca_file)
    found = ssl.get_default_verify_paths().cafile
    if found:
        return found
    try:
        import certifi
    except ImportError:
        return ""
    return certifi.where()


def hint(url: str, usual: str) -> str:
    """Return the advice for a ``url`` that cannot be opened. FFmpeg does not report certificate errors as such, so
    ``--tls-ca`` is suggested for every TLS address."""
    if scheme(url) not in SCHEMES:
        return usual
    return f"{usual} If the server uses a self-signed certificate, add --tls-ca FILE."


def through_tee(url: str, format: str, options: dict[str, str]) -> str:
    """Return the address with which FFmpeg's ``tee`` muxer opens ``url`` with options, which PyAV does not pass to a
    muxer's connection."""
    named = ":".join(f"{key}={_escape(_escape(value))}" for key, value in ({"f": format} | options).items())
    return f"[{named}]{_escape(url)}"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _check(ca_file: str) -> str:
    path = expanded(ca_file)
    try:
        with open_regular(path):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ValueError) as error:
        reason = (
            "a file without certificates"
            if isinstance(error, ssl.SSLError)
            else getattr(error, "strerror", "") or str(error)
        )
        raise UsageError(f"--tls-ca {ca_file}", expected="a file with CA certificates (PEM)", got=reason) from None
    return str(path.absolute())
