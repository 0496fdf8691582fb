"""What a sub-command is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtswap.app.config import Config
from rtswap.commands.flags import Parser, overrides

if TYPE_CHECKING:  # the help must come at once: what a command needs is imported when it runs
    from rtswap.app.config_file import Effective
    from rtswap.app.console import Console

Flags = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """One sub-command."""

    words: str
    """As it is typed after ``rtswap``: ``inspect CLIP``."""
    summary: str
    """One line of ``rtswap --help``."""
    parser: Callable[[], Parser]
    run: Callable[[Flags], int]
    """Given the flags, returns the exit code."""


def effective(flags: Flags) -> Effective:
    """The configuration that counts, and where each value comes from. Which files were read is told."""
    from rtswap.app.config_file import effective as find

    found = find(overrides(flags), file=flags.get("config"))
    if found.files:
        console_of(found.config).event(f"settings from {', '.join(str(path.absolute()) for path in found.files)}")
    return found


def console_of(config: Config) -> Console:
    """Where it prints, as wished."""
    from rtswap.app.console import Console

    return Console(quiet=config.console.quiet, json=config.console.json, stats=config.console.stats)


def console_of_flags(flags: Flags) -> Console:
    """The same for a command that reads no configuration."""
    from rtswap.app.console import Console

    quiet, json, stats = (bool(flags.get(f"console.{name}")) for name in ("quiet", "json", "stats"))
    return Console(quiet, json, stats)


def seconds(text: str) -> float:
    """For argparse: 0.1 to 3600."""
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise ValueError(text)
    return value
