"""Completion scripts for the shells."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from rtswap.commands import COMMANDS
from rtswap.commands.completion import SHELLS, script, words_of
from rtswap.commands.main import main


@pytest.fixture(scope="module")
def scripts() -> dict[str, str]:
    words = {name: words_of(command.parser()) for name, command in COMMANDS.items()}
    return {shell: script(shell, words) for shell in SHELLS}


def in_bash(text: str, *typed: str) -> list[str]:
    """What bash offers for the last of the words."""
    words = " ".join(f"'{word}'" for word in ("rtswap", *typed))
    program = f"{text}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed)}; _rtswap; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_flags_and_values(scripts: dict[str, str]) -> None:
    text = scripts["bash"]
    assert in_bash(text, "ben") == ["bench"]
    assert in_bash(text, "--on-f") == ["--on-failure"]
    assert in_bash(text, "-s", "me.jpg", "--on-failure", "") == ["blur", "pixelate", "hold", "stop"]
    assert in_bash(text, "-s", "me.jpg", "--faces", "a") == ["all"]
    assert in_bash(text, "--keep", "m") == ["mouth"]
    assert in_bash(text, "bench", "--sec") == ["--seconds"]
    assert in_bash(text, "-s", "--s") == [], "a photo, so files"


@pytest.mark.parametrize("shell", list(SHELLS))
def test_every_shell_has_every_command_and_flag(shell: str, scripts: dict[str, str]) -> None:
    text = scripts[shell]
    for name, command in COMMANDS.items():
        assert name in text
        for flag in words_of(command.parser()).flags:
            assert (flag if shell != "fish" else f" {'-l' if flag[1] == '-' else '-s'} {flag.lstrip('-')}") in text
    assert "delight" not in text
    if shutil.which(shell) and shell != "powershell":
        subprocess.run([shell, "-n", "/dev/stdin"], input=text, text=True, check=True)


def test_the_command_prints_a_script_and_asks_for_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fish"]) == 0
    assert capsys.readouterr().out.startswith("complete -c rtswap")
    assert main(["completion", "fsh"]) == 2
    assert "Did you mean fish?" in capsys.readouterr().err
