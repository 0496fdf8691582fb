"""The sub-commands: for each its parser and what it does with the flags. ``rtswap`` alone runs the loop."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rtswap.commands import cameras, config
from rtswap.commands.bench import command
from rtswap.commands.build import command
from rtswap.commands.command import Command
from rtswap.commands.doctor import command
from rtswap.commands.evaluate import command
from rtswap.commands.extract import command
from rtswap.commands.forget import command
from rtswap.commands.inspect import command
from rtswap.commands.personas import command
from rtswap.commands.run import run_command
from rtswap.commands.verify import command

_LISTED = [
    part.COMMAND
    for part in (personas, cameras, doctor, config, bench, inspect, extract, evaluate, verify, forget, build)
]

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {"": run_command(lambda: _LISTED)} | {command.words.split()[0]: command for command in _LISTED}
)
"""Name -> command; the empty name is the loop itself."""
