"""``rtswap completion``: print a script that completes commands, flags and their values in a shell.

The words come from the parsers, so they are always those of this version. shtab writes no PowerShell and expects
one parser with sub-parsers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from rtswap.commands.command import Command, Flags
from rtswap.commands.flags import Parser
from rtswap.core.errors import UsageError
from rtswap.core.text import suggestion

SHELLS = {
    "bash": "rtswap completion bash >> ~/.bashrc",
    "zsh": "rtswap completion zsh >> ~/.zshrc",
    "fish": "rtswap completion fish > ~/.config/fish/completions/rtswap.fish",
    "powershell": "rtswap completion powershell | Add-Content $PROFILE",
}


class Words(NamedTuple):
    """What can follow a command: its flags, and for flags with a fixed set of values these."""

    flags: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]
    takes: tuple[str, ...]
    """Flags whose value is free: file names are completed."""
    first: tuple[str, ...] = ()
    """Words that can follow at once, such as the actions of ``rtswap models``."""
    lists: tuple[str, ...] = ()
    """Flags of ``values`` that take several of them, separated by commas."""
    sources: tuple[str, ...] = ()
    """Flags of ``takes`` that take a persona, too."""


def words_of(parser: Parser) -> Words:
    """Return the words of one parser. Flags without help are left out."""
    flags: list[str] = []
    values: dict[str, tuple[str, ...]] = {}
    takes: list[str] = []
    lists: list[str] = []
    sources: list[str] = []
    for action in parser.actions:
        if action.help == argparse.SUPPRESS or not action.option_strings:
            continue
        flags += action.option_strings
        choices = parser.choices_of(action)
        if choices:
            values |= dict.fromkeys(action.option_strings, choices)
            lists += action.option_strings if str(action.metavar).endswith("...]") else ()
        elif action.nargs != 0:
            takes += action.option_strings
            sources += action.option_strings if action.metavar == "PHOTO" else ()
    return Words(tuple(flags), values, tuple(takes), parser.first_words, tuple(lists), tuple(sources))


def words_of_all(commands: Mapping[str, Command]) -> dict[str, Words]:
    """Return the words of all commands, and of ``help COMMAND``."""
    words = {name: words_of(command.parser()) for name, command in commands.items()}
    return words | {"help": Words((), {}, (), tuple(_commands(words)))}


def script(shell: str, words: Mapping[str, Words]) -> str:
    """Return the script for one of ``SHELLS``. ``words``: command -> its words; the empty name is the swap loop."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}[shell](words)


def _bash(words: Mapping[str, Words]) -> str:
    """Only what zsh's bashcompinit understands, too."""
    cases = ""
    for name, one in _loop_last(words):
        values = "".join(
            f"        {flag}) values='{' '.join(of)}'{' before=list' if flag in one.lists else ''} ;;\n"
            for flag, of in one.values.items()
        )
        files = [flag for flag in one.takes if flag not in one.sources]
        free = f"        {'|'.join(files)}) return ;;\n" if files else ""
        if one.sources:
            flags = "|".join(one.sources)
            free += f'        {flags}) [ -z "$(compgen -f -- "$word")" ] && values=$personas || return ;;\n'
        first = f" first='{' '.join(one.first)}'" if one.first else ""
        cases += f"    {name or '*'}) flags='{' '.join(one.flags)}'{first}\n"
        cases += f"      case $last in\n{values}{free}      esac ;;\n"
    return f"""_rtswap() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} last=${{COMP_WORDS[COMP_CWORD-1]}} flags values first before whole
  local personas='{" ".join(_personas())}'
  COMPREPLY=()
  if [ "$last$word" = persona: ] || [ "${{COMP_WORDS[COMP_CWORD-2]}}$last" = persona: ]; then
    COMPREPLY=($(compgen -W "${{personas//persona:/}}" -- "${{word#:}}"))
    return  # bash divides words at colons
  fi
  if [ "$word" = = ]; then word=''; elif [ "$last" = = ]; then last=${{COMP_WORDS[COMP_CWORD-2]}}; fi  # and at =
  case $word in --*=*) whole=${{word%%=*}}= last=${{word%%=*}} word=${{word#*=}} ;; esac  # which zsh does not
  case ${{COMP_WORDS[1]}} in
{cases}  esac
  [ "$COMP_CWORD" = 1 ] && first='{" ".join(_commands(words))}'
  [ "$COMP_CWORD" -gt 2 ] && first=''
  case $word in -*) first=$flags ;; esac
  if [ -n "$before" ]; then before=${{word%"${{word##*,}}"}}; fi
  COMPREPLY=($(compgen -P "$whole$before" -W "${{values:-$first}}" -- "${{word#"$before"}}"))
}}
complete -o default -F _rtswap rtswap
"""


def _zsh(words: Mapping[str, Words]) -> str:
    return "autoload -U +X compinit bashcompinit && compinit && bashcompinit\n" + _bash(words)


def _fish(words: Mapping[str, Words]) -> str:
    names = " ".join(_commands(words))
    lines = [f"complete -c rtswap -n '__fish_is_nth_token 1' -a '{names}'"]
    for name, one in words.items():
        when = f"__fish_seen_subcommand_from {name}" if name else f"not __fish_seen_subcommand_from {names}"
        if one.first:
            lines.append(f"complete -c rtswap -n '{when}; and __fish_is_nth_token 2' -f -a '{' '.join(one.first)}'")
        for flag in one.flags:
            how = f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
            of = " ".join(one.values.get(flag, _personas() if flag in one.sources else ()))
            of = f"(__fish_append , {of})" if flag in one.lists else of
            value = f" {'-x' if flag in one.values else '-r'} -a '{of}'" if of else ""
            lines.append(f"complete -c rtswap -n '{when}' {how}{value or (' -r' if flag in one.takes else '')}")
    return "\n".join(lines) + "\n"


def _powershell(words: Mapping[str, Words]) -> str:
    def listed(items: Collection[str]) -> str:
        return "@(" + ", ".join(f"'{item}'" for item in items) + ")"

    rows = []
    for name, one in words.items():
        values = "; ".join(f"'{flag}' = {listed(of)}" for flag, of in one.values.items())
        row = f"flags = {listed(one.flags)}; takes = {listed(one.takes)}; first = {listed(one.first)}"
        row += f"; sources = {listed(one.sources)}"
        rows.append(f"    '{name}' = @{{ {row}; choices = @{{ {values} }} }}")
    return f"""Register-ArgumentCompleter -Native -CommandName rtswap -ScriptBlock {{
  param($word, $line, $at)
  $commands = @{{
{chr(10).join(rows)}
  }}
  $before = @($line.CommandElements | ForEach-Object {{ $_.ToString() }})
  if ($word) {{ $before = @($before | Select-Object -SkipLast 1) }}
  $name = if ($before.Count -gt 1 -and $commands.ContainsKey($before[1])) {{ $before[1] }} else {{ '' }}
  $command = $commands[$name]
  $offered = if ($command.choices.ContainsKey($before[-1])) {{ $command.choices[$before[-1]] }}
    elseif ($word -and $command.sources -ccontains $before[-1]) {{ {listed(_personas())} }}
    elseif ($command.takes -ccontains $before[-1]) {{ @() }}
    elseif ($word -like '-*') {{ $command.flags }}
    elseif ($before.Count -eq 1) {{ {listed(_commands(words))} }}
    elseif ($before.Count -eq 2) {{ $command.first }}
  $offered | Where-Object {{ $_ -clike "$word*" }} |
    ForEach-Object {{ [System.Management.Automation.CompletionResult]::new($_) }}
}}
"""


def _commands(words: Mapping[str, Words]) -> list[str]:
    return [name for name in words if name]


def _personas() -> list[str]:
    from rtswap.source.personas import PREFIX, RANDOM, list_personas  # the room loads OpenCV

    return [*(persona.source for persona in list_personas()), PREFIX + RANDOM]


def _loop_last(words: Mapping[str, Words]) -> list[tuple[str, Words]]:
    """The swap loop last: its pattern matches everything."""
    return [(name, words[name]) for name in _commands(words)] + [("", words[""])]


def completion_command(commands: Callable[[], Mapping[str, Command]]) -> Command:
    """Return the command; ``commands``: name -> command."""

    def parser() -> Parser:
        made = Parser(
            "rtswap completion",
            "Prints a script for the shell that completes rtswap's commands, flags and values.",
            "examples:\n" + "".join(f"  {line}\n" for line in SHELLS.values()),
        )
        made.takes("shell", "|".join(SHELLS), first=tuple(SHELLS))
        return made.with_table([], config=False)

    def run(flags: Flags) -> int:
        shell = flags.get("shell", "")
        if shell not in SHELLS:
            do = suggestion(shell, SHELLS, f"For example: {SHELLS['bash']}")
            what = f"unknown shell {shell!r}" if shell else "no shell given"
            raise UsageError(what, expected=", ".join(SHELLS), do=do)
        print(script(shell, words_of_all(commands())), end="")
        return 0

    return Command("completion SHELL", "print a script for bash, zsh, fish or PowerShell", parser, run)
