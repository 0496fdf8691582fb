"""The sub-commands: for each its parser and what it does with the flags. ``rtswap`` alone runs the loop."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rtswap.commands import (
    bench,
    build,
    cameras,
    config,
    doctor,
    evaluate,
    extract,
    forget,
    inspect,
    personas,
    verify,
)
from rtswap.commands.command import Command
from rtswap.commands.run import run_command

_LISTED = [
    part.COMMAND
    for part in (personas, cameras, doctor, config, bench, inspect, extract, evaluate, verify, forget, build)
]

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {"": run_command(lambda: _LISTED)} | {command.words.split()[0]: command for command in _LISTED}
)
"""Name -> command; the empty name is the loop itself."""
