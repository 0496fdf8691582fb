"""Build argument parsers from the option table; report a wrong flag in one line with a suggestion."""

from __future__ import annotations

import argparse
import os
import shutil
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NoReturn, Self

from rtswap.app.config import OPTIONS, RETIRED, SECTIONS
from rtswap.app.options import Kind, Option
from rtswap.core.errors import UsageError
from rtswap.core.text import nearest, suggestion
from rtswap.core.version import __version__

MOST_COLUMNS, COLUMNS = 110, 80
"""Width of the help: the terminal's up to the first; the second without a terminal."""

_FILES = ("ADDRESS", "DIR", "FILE", "FOLDER", "PATH", "PHOTO")
"""What the help calls values that are files."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError instead of printing its usage."""

    def __init__(
        self, prog: str, description: str, examples: str = "", *, advice: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """``advice``: flags that users of other programs try -> what to do instead."""
        super().__init__(
            prog,
            usage=f"{prog} [options]",
            description=textwrap.fill(description, _columns()),
            epilog=examples or None,
            allow_abbrev=False,
            add_help=False,
            formatter_class=_Formatter,
            argument_default=argparse.SUPPRESS,
        )
        self._advice = advice
        self.first_words: tuple[str, ...] = ()
        """The values that the first positional argument can have; empty if it is free."""
        self._many = ""
        """Name of the positional argument that takes any number of words."""
        self._words: list[str] = []

    def takes(self, dest: str, words: str, *, many: bool = False, first: Sequence[str] = ()) -> None:
        """Add an optional positional argument; the usage line shows it as ``words``. ``first``: the values that its
        first word can have, for completion."""
        self.first_words = tuple(first)
        self.add_argument(dest, nargs="*" if many else "?", help=argparse.SUPPRESS)
        self.usage = f"{self.prog} {words} [options]"
        self._many = dest if many else ""

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
            for key, why in RETIRED.items():
                if key.partition(".")[0] == section:
                    group.add_argument(f"--{key.partition('.')[2]}", action=_Retired, nargs=0, why=why)
        group = self.add_argument_group("Help and troubleshooting")
        group.add_argument("--help", "-h", action="help", help="show this help")
        group.add_argument("--debug", action="store_true", help="show tracebacks")
        if config:
            group.add_argument("--config", metavar="FILE", help="read this file instead of rtswap.toml")
        if version:
            group.add_argument(
                "--version", "-V", "-v", action="version", version=f"rtswap {__version__}", help="show the version"
            )
        return self

    @property
    def actions(self) -> Sequence[argparse.Action]:
        """All flags and positional arguments."""
        return self._actions

    @staticmethod
    def choices_of(action: argparse.Action) -> tuple[str, ...]:
        """Return the names that a flag accepts; empty if it takes something else."""
        if isinstance(action.type, Reader):
            return action.type.choices
        kinds = (row.kind for row in OPTIONS if set(action.option_strings) & set(row.flags))
        return next((Reader(kind).choices for kind in kinds), ())

    def read(self, args: Sequence[str]) -> dict[str, Any]:
        """Parse ``args`` and return the given flags as name -> value. Raises UsageError; ``--help`` raises
        SystemExit."""
        for word in args:  # argparse would read -ss as -s s
            if word in self._advice and len(word) > 2 and word[1] != "-":
                raise UsageError(f"unknown flag {word!r}", do=self._advice[word])
            meant = f"-{word.split('=')[0]}"  # -strength as -s trength
            if len(meant) > 3 and meant in self._option_string_actions:
                raise UsageError(f"unknown flag {word!r}", do=f"Did you mean {meant}?")
        self._words = list(args)
        given, unknown = self.parse_known_args(self._words)
        found = vars(given)
        flags = [word for word in unknown if word.startswith("-")]
        if flags:
            raise UsageError(f"unknown flag {flags[0]!r}", do=self._suggestion(flags[0]))
        if unknown and not self._many:
            raise UsageError(f"unknown argument {unknown[0]!r}", do=self._see_help())
        if unknown:  # words after flags: argparse takes only the first group
            found[self._many] = [*found.get(self._many, ()), *unknown]
        return found

    def error(self, message: str) -> NoReturn:
        do = "" if message.endswith("?") else self._see_help()
        name, _, what = message.removeprefix("argument ").partition(": ")
        if what == "expected one argument":
            raise self._without_value(self._option_string_actions[name.split("/")[0]], name)
        if what.startswith("ignored explicit argument "):
            raise UsageError(f"{name} takes no value", got=what.removeprefix("ignored explicit argument "), do=do)
        raise UsageError(message.removeprefix("argument "), do=do)

    def _without_value(self, action: argparse.Action, name: str) -> UsageError:
        """The error of a flag at the end, or before another flag or something else that begins with a dash."""
        expected = action.type.kind.expected if isinstance(action.type, Reader) else str(action.metavar)
        after = [word for flag, word in pairwise(self._words) if flag in action.option_strings]
        dashed = [
            word for word in after if word.startswith("-") and word.split("=")[0] not in self._option_string_actions
        ]
        is_file = dashed and action.metavar in _FILES
        do = f"For a file of that name write ./{dashed[-1]}" if is_file else self._see_help()
        return UsageError(f"{name}: expected {expected}, got {repr(dashed[-1]) if dashed else 'nothing'}", do=do)

    def _see_help(self) -> str:
        return f"See {self.prog} --help."

    def _suggestion(self, flag: str) -> str:
        name = flag.split("=")[0]
        if name in self._advice:
            return self._advice[name]
        if os.path.exists(flag):
            return f"For the file write ./{flag}"
        if any(name in row.flags for row in OPTIONS):
            return f"It is a flag of `rtswap`, not of `{self.prog}`. {self._see_help()}"
        known = [flag for flag in self._option_string_actions if flag.startswith("--")]
        return suggestion(name, known, self._see_help())


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
        action = "append" if row.kind.many else _Once if row.also else "store"
        _add_valued(target, row.flags, row.key, row.kind, action, help_text)
    for flag, kind, text in row.also:
        _add_valued(target, (flag,), row.key, kind, _Once, text)


def _add_valued(
    target: argparse._ActionsContainer,
    flags: Sequence[str],
    dest: str,
    kind: Kind,
    action: str | type[argparse.Action],
    text: str,
) -> None:
    target.add_argument(
        *flags, dest=dest, action=action, type=Reader(kind), metavar=kind.metavar, help=text.replace("%", "%%")
    )


@dataclass(frozen=True, eq=False)
class Reader:
    """The argparse type of ``kind``; a wrong value raises ArgumentTypeError with the expected one."""

    kind: Kind

    @property
    def choices(self) -> tuple[str, ...]:
        """The names that are accepted; empty if it is something else."""
        return (*self.kind.choices, *self.kind.installed())

    def __call__(self, value: str) -> Any:
        if value in self.kind.aliases:
            _note(f'"{value}" is now called "{self.kind.aliases[value]}"')
        try:
            return self.kind.parse(value)
        except ValueError as error:
            near = _near_choice(value, self.choices)
            raise argparse.ArgumentTypeError(f"expected {self.kind.expected}, got {error}{near}") from None


def _note(text: str) -> None:
    from rtswap.app.console import print_error  # slow to import, and --help must be fast

    print_error(f"rtswap: {text}")


def _near_choice(value: str, choices: Sequence[str]) -> str:
    near = nearest(value, choices)
    return f"; did you mean {near}?" if near else ""


def _default_note(row: Option) -> str:
    if row.kind.switch or row.default in (None, (), ""):
        return ""
    return f" [{','.join(row.default) if _is_names(row.default) else row.kind.to_toml(row.default).strip(chr(34))}]"


def _is_names(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, str) for part in value)


def _columns() -> int:
    return min(shutil.get_terminal_size((COLUMNS, 24)).columns, MOST_COLUMNS)


class _Retired(argparse.Action):
    """A flag without effect that older scripts use: a note, no error; not in the help."""

    def __init__(self, option_strings: Sequence[str], why: str, **rest: Any) -> None:
        super().__init__(option_strings, **{**rest, "dest": argparse.SUPPRESS, "help": argparse.SUPPRESS})
        self._why = why

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        _note(f"{self.option_strings[0]} is {self._why}")


class _Once(argparse.Action):
    """``--input`` and ``--cam``: of two inputs none is left out silently."""

    def __call__(self, parser: argparse.ArgumentParser, given: argparse.Namespace, value: Any, *rest: Any) -> None:
        first = getattr(given, self.dest, value)
        if first != value:
            do = "For several files leave out --input: rtswap -s me.jpg a.mp4 b.mp4 swapped/"
            raise UsageError("two inputs given", got=f"{first} and {value}", do=do)
        setattr(given, self.dest, value)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        columns = _columns()
        super().__init__(prog, max_help_position=min(30, columns * 3 // 8), width=columns)

    def _split_lines(self, text: str, width: int) -> list[str]:
        """Never within a flag: ``--max-yaw`` ended a line as ``--max-``."""
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """``-s, --source PHOTO``: the short flag first, the value name once."""
        flags = sorted(action.option_strings, key=len)
        value = "" if action.nargs == 0 else f" {action.metavar}"
        return ("" if len(flags[0]) == 2 else "    ") + ", ".join(flags) + value
