"""Outputs: one module per output type, each with a ``SPEC``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from rtswap.core.errors import UsageError
from rtswap.core.parts import OutputRequest, OutputSpec
from rtswap.core.plugins import built_in, plugins
from rtswap.core.protocols import Output
from rtswap.core.urls import scheme, trimmed

GROUP = "rtswap.outputs"
"""Entry point group of output plugins."""


def open_output(address: str, request: OutputRequest | None = None) -> Output:
    """Open ``vcam[:name]``, ``window``, ``null``, a URL, an image, numbered images, a folder, a video file, or a
    plugin's output. Raises UsageError for any other address, OutputError if it cannot be opened."""
    address = trimmed(address)
    return _spec_of(address).open(address, request or OutputRequest())


def check_output(address: str, request: OutputRequest) -> None:
    """Check what can be checked without opening an output. Raises UsageError, OutputError."""
    address = trimmed(address)
    spec = _spec_of(address)
    if spec.check is not None:
        spec.check(address, request)


def _spec_of(address: str) -> OutputSpec:
    for spec in output_specs(address):
        if spec.takes(address):
            return spec
    expected = ", ".join(spec.help for spec in output_specs())
    is_name = address and not scheme(address) and not Path(address).suffix and ":" not in address
    do = f"For a folder write {address}/." if is_name else "See `rtswap --help`."
    if address == "-" or address.startswith("/dev/"):
        do = (
            "rtswap cannot write to a pipe. Write a file, send to a URL such as udp://, or use null to write nothing."
        )
    raise UsageError(f"unknown output {address!r}", expected=expected, do=do)


def with_prefix(address: str) -> OutputSpec | None:
    """The output that an address begins with, as in ``vcam:`` or a plugin's ``stills:``; None if it has no prefix."""
    if ":" not in address or scheme(address):
        return None
    return next((spec for spec in output_specs(address) if not spec.by_suffix and spec.takes(address)), None)


def output_specs(address: str = ":") -> Iterator[OutputSpec]:
    """Yield the outputs in the order in which they are tried: plugins, if the address contains a colon, then built-in
    ones, and of these the ``by_suffix`` last: ``stills:a.png`` may be another output's."""
    ours = built_in("rtswap.media.outputs", OutputSpec)
    if ":" not in address:
        return ours
    return chain(plugins(GROUP, OutputSpec), sorted(ours, key=lambda spec: spec.by_suffix))
