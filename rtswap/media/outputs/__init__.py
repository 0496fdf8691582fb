"""Where finished pictures go: a file for each kind of address, with one ``SPEC``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from rtswap.core.errors import UsageError
from rtswap.core.parts import OutputRequest, OutputSpec
from rtswap.core.plugins import built_in, plugins
from rtswap.core.protocols import Output

GROUP = "rtswap.outputs"
"""Entry points of other packages' outputs."""


def open_output(address: str, request: OutputRequest | None = None) -> Output:
    """``vcam[:name]``, ``window``, ``null``, a URL, a picture, numbered pictures, a folder or a video file, or what
    another package adds. Raises UsageError for what is none of these, OutputError for what cannot be opened."""
    address = address.strip()
    for spec in output_specs(address):
        if spec.takes(address):
            return spec.open(address, request or OutputRequest())
    expected = ", ".join(spec.help for spec in output_specs())
    raise UsageError(f"no output {address!r}", expected=expected, do="See `rtswap --help`.")


def output_specs(address: str = ":") -> Iterator[OutputSpec]:
    """In the order in which they are asked: other packages', where the address is no plain path, then rtswap's."""
    others = plugins(GROUP, OutputSpec) if ":" in address else ()
    return chain(others, built_in("rtswap.media.outputs", OutputSpec))
