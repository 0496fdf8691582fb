"""Build argument parsers from the option table; report a wrong flag in one line with a suggestion."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, NoReturn, Self

from rtswap.app.config import OPTIONS, SECTIONS
from rtswap.app.options import Kind, Option
from rtswap.core.errors import UsageError
from rtswap.core.text import nearest
from rtswap.core.version import __version__

HELP_WIDTH = 110


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError instead of printing its usage."""

    def __init__(self, prog: str, description: str, examples: str = "", commands: Collection[str] = ()) -> None:
        super().__init__(
            prog,
            usage=f"{prog} [options]",
            description=description,
            epilog=examples or None,
            allow_abbrev=False,
            add_help=False,
            formatter_class=_Formatter,
            argument_default=argparse.SUPPRESS,
        )
        self._words = tuple(commands)
        """Sub-commands to suggest."""

    def takes(self, dest: str, words: str, *, many: bool = False) -> None:
        """Add an optional positional argument; the usage line shows it as ``words``."""
        self.add_argument(dest, nargs="*" if many else "?", help=argparse.SUPPRESS)
        self.usage = f"{self.prog} {words} [options]"

    def with_table(
        self,
        sections: Collection[str] = tuple(SECTIONS),
        *,
        without: Collection[str] = (),
        config: bool = True,
        version: bool = False,
    ) -> Self:
        """Add a help group for each of these sections of the option table, except the keys ``without``; then the
        flags of every command: ``--help``, ``--debug`` and, with ``config``, ``--config``."""
        for section in sections:
            group = self.add_argument_group(title_of(section))
            for row in OPTIONS:
                if row.section == section and row.flags and row.key not in without:
                    _add_row(group, row)
        group = self.add_argument_group("Help and troubleshooting")
        group.add_argument("--help", "-h", action="help", help="show this help")
        group.add_argument("--debug", action="store_true", help="show tracebacks")
        if config:
            group.add_argument("--config", metavar="FILE", help="read this file instead of rtswap.toml")
        if version:
            group.add_argument(
                "--version", action="version", version=f"rtswap {__version__}", help="show the version"
            )
        return self

    def read(self, args: Sequence[str]) -> dict[str, Any]:
        """Parse ``args`` and return the given flags as name -> value. Raises UsageError; ``--help`` raises
        SystemExit."""
        found, unknown = self.parse_known_args(list(args))
        if unknown:
            raise UsageError(f"{self._kind_of(unknown[0])} {unknown[0]!r}", do=self._suggestion(unknown[0]))
        return vars(found)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "), do="" if message.endswith("?") else self._see_help())

    def _see_help(self) -> str:
        return f"See {self.prog} --help."

    def _kind_of(self, word: str) -> str:
        if word in self._words:
            return "misplaced command"
        return "unknown flag" if word.startswith("-") else "unknown command" if self._words else "unknown argument"

    def _suggestion(self, word: str) -> str:
        if word in self._words:
            return f"The command comes first: rtswap {word}"
        known = self._option_string_actions if word.startswith("-") else self._words
        near = nearest(word.split("=")[0], known, cutoff=0.55)
        return f"Did you mean {near}?" if near else self._see_help()


def overrides(flags: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    """Return the flags of the option table as ``section.key`` -> (value, flag)."""
    rows = {row.key: row for row in OPTIONS}
    return {
        key: (tuple(value) if rows[key].kind.many else value, rows[key].flags[0])
        for key, value in flags.items()
        if key in rows
    }


def title_of(section: str) -> str:
    """Return the help title of a section of the option table."""
    return (SECTIONS[section].__doc__ or section).rstrip(".")


def _add_row(group: argparse._ArgumentGroup, row: Option) -> None:
    help_text = row.help + _default_note(row)
    target: argparse._ActionsContainer = group.add_mutually_exclusive_group() if row.also else group
    if row.kind.switch:
        target.add_argument(*row.flags, dest=row.key, action="store_true", help=help_text)
    else:
        action = "append" if row.kind.many else "store"
        _add_valued(target, row.flags, row.key, row.kind, action, help_text)
    for flag, kind, text in row.also:
        _add_valued(target, (flag,), row.key, kind, "store", text)


def _add_valued(
    target: argparse._ActionsContainer, flags: Sequence[str], dest: str, kind: Kind, action: str, text: str
) -> None:
    target.add_argument(
        *flags, dest=dest, action=action, type=reader(kind), metavar=kind.metavar, help=text.replace("%", "%%")
    )


def reader(kind: Kind) -> Callable[[str], Any]:
    """Return the argparse type of ``kind``; a wrong value raises ArgumentTypeError with the expected one."""

    def read(value: str) -> Any:
        if value in kind.aliases:
            print(f'rtswap: "{value}" is now called "{kind.aliases[value]}"', file=sys.stderr)
        try:
            return kind.parse(value)
        except ValueError as error:
            message = f"expected {kind.expected}, got {error}{_near_choice(value, kind.choices)}"
            raise argparse.ArgumentTypeError(message) from None

    return read


def _near_choice(value: str, choices: Sequence[str]) -> str:
    near = nearest(value, choices)
    return f"; did you mean {near}?" if near else ""


def _default_note(row: Option) -> str:
    if row.kind.switch or row.default in (None, (), ""):
        return ""
    return f" [{','.join(row.default) if _is_names(row.default) else row.kind.to_toml(row.default).strip(chr(34))}]"


def _is_names(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, str) for part in value)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=HELP_WIDTH)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """``-s, --source PHOTO``: the short flag first, the value name once."""
        flags = sorted(action.option_strings, key=len)
        value = "" if action.nargs == 0 else f" {action.metavar}"
        return ("" if flags[0].startswith("-") and len(flags[0]) == 2 else "    ") + ", ".join(flags) + value
