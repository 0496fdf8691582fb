"""The type of a sub-command, and helpers that several of them use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rtswap.app.config import OPTIONS, Config
from rtswap.commands.flags import Parser, overrides

if TYPE_CHECKING:  # --help must be fast: a command imports what it needs when it runs
    from rtswap.app.config_file import Effective
    from rtswap.app.console import Console

Flags = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """One sub-command: its name, help line, parser and function."""

    words: str
    """What the user types after ``rtswap``: ``inspect CLIP``."""
    summary: str
    """Its line in ``rtswap --help``."""
    parser: Callable[[], Parser]
    run: Callable[[Flags], int]
    """Takes the flags, returns the exit code."""

    @property
    def name(self) -> str:
        return self.words.partition(" ")[0]


def effective(flags: Flags) -> Effective:
    """Return the effective configuration and the origin of each value; report which files were read."""
    from rtswap.app.config_file import effective as find
    from rtswap.app.swapper_file import with_installed_swapper

    found = find(overrides(flags), file=flags.get("config"))
    if found.files:
        console_of(found.config).event(f"settings from {', '.join(str(path.absolute()) for path in found.files)}")
    for line in found.retired:
        console_of(found.config).event(line)
    return replace(found, config=with_installed_swapper(found.config, console_of(found.config).event))


def console_of(config: Config) -> Console:
    """Return the console that ``config`` describes."""
    from rtswap.app.console import Console

    console = config.console
    return Console(console.quiet, console.json, console.stats, given=[*sys.argv[1:], *_texts_in(config)])


def console_of_flags(flags: Flags) -> Console:
    """Return the console for a command that reads no configuration."""
    from rtswap.app.console import Console

    quiet, json, stats = (bool(flags.get(f"console.{name}")) for name in ("quiet", "json", "stats"))
    return Console(quiet, json, stats, given=sys.argv[1:])


def _texts_in(config: Config) -> list[str]:
    """All texts of a configuration."""
    values = [getattr(getattr(config, row.section), row.name) for row in OPTIONS]
    listed = [value if isinstance(value, tuple) else (value,) for value in values]
    return [text for texts in listed for text in texts if isinstance(text, str)]
