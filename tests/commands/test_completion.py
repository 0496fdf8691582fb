"""Completion scripts for the shells."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from rtswap.commands import COMMANDS
from rtswap.commands.completion import SHELLS, script, words_of, words_of_all
from rtswap.commands.main import main


@pytest.fixture(scope="module")
def scripts() -> dict[str, str]:
    return {shell: script(shell, words_of_all(COMMANDS)) for shell in SHELLS}


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
    assert in_bash(text, "-s", "persona:a") == ["persona:ada", "persona:amara"]
    assert "ada" in in_bash(text, "--also", "persona", ":")
    assert in_bash(text, "-s", "persona", ":", "ve") == ["vera"], "bash divides words at colons"
    assert in_bash(text, "-o", "vcam", ":", "ve") == []
    assert in_bash(text, "--mask", "hull,s") == ["hull,skin"]
    assert in_bash(text, "--engine", "auto,") == [], "takes one"
    assert in_bash(text, "--faces", "=", "a") == ["all"], "and at ="
    assert in_bash(text, "--keep", "=") == ["eyes", "mouth"]
    assert in_bash(text, "inspect", "c.mp4", "--mask", "=", "hull,s") == ["hull,skin"]
    assert in_bash(text, "--output", "=", "w") == [], "a file"
    assert in_bash(text, "help", "ev") == ["eval"]
    assert in_bash(text, "models", "p") == ["pull"]
    assert in_bash(text, "models", "pull", "p") == []
    assert in_bash(text, "train", "fs") == ["fsgan", "fslsd"]
    assert in_bash(text, "train", "df", "--direction", "") == ["forth", "back"]
    assert in_bash(text, "extract", "--template", "f") == ["ffhq", "full"]


def in_zsh(text: str, folder: Path, typed: Sequence[str]) -> list[str]:
    """The lines that an interactive zsh, on a terminal, makes of what is typed when Tab is pressed."""
    (folder / "me photo.jpg").touch()
    show = "show() { print -r -- \"<<$BUFFER>>\"; BUFFER=''; }; zle -N show; bindkey '^X' show\n"
    (folder / "script").write_text(text + show)
    terminal, inner = pty.openpty()
    with subprocess.Popen(
        ["zsh", "-f", "-i"],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "dumb"},
        start_new_session=True,
    ) as shell:
        os.close(inner)
        seen = ""

        def read_until(pattern: str, count: int) -> list[str]:
            nonlocal seen
            ends_at = time.monotonic() + 20
            while len(found := re.findall(pattern, seen)) < count and time.monotonic() < ends_at:
                if select.select([terminal], [], [], 0.2)[0]:
                    seen += os.read(terminal, 65536).decode(errors="replace")
            return found

        os.write(terminal, b". ./script; echo re''ady\n")
        read_until("ready", 1)
        for count, line in enumerate(typed, 1):
            os.write(terminal, f"{line}\t\x18".encode())
            read_until("<<.*>>", count)
        shell.kill()
    os.close(terminal)
    return [line[2:-2].strip() for line in re.findall("<<.*>>", seen)]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_completes_commands_flags_values_and_files(scripts: dict[str, str], tmp_path: Path) -> None:
    expected = {
        "rtswap ben": "rtswap bench",
        "rtswap --on-f": "rtswap --on-failure",
        "rtswap -s me.jpg --on-failure p": "rtswap -s me.jpg --on-failure pixelate",
        "rtswap -s me.jpg --faces a": "rtswap -s me.jpg --faces all",
        "rtswap bench --sec": "rtswap bench --seconds",
        "rtswap -s me": r"rtswap -s me\ photo.jpg",
        "rtswap models p": "rtswap models pull",
        "rtswap -s persona:ve": "rtswap -s persona:vera",
        "rtswap --mask hull,s": "rtswap --mask hull,skin",
        "rtswap help ev": "rtswap help eval",
        "rtswap --faces=a": "rtswap --faces=all",
        "rtswap bench --mask=hull,s": "rtswap bench --mask=hull,s",
        "rtswap inspect --mask=hull,s": "rtswap inspect --mask=hull,skin",
    }
    assert in_zsh(scripts["zsh"], tmp_path, list(expected)) == list(expected.values())


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("rtswap -s persona:a", ["persona:ada", "persona:amara"]),
        ("rtswap -s me", ["me photo.jpg"]),
        ("rtswap --mask hull,s", ["hull,skin"]),
        ("rtswap help ev", ["eval"]),
        ("rtswap completion ", ["bash", "fish", "powershell", "zsh"]),
        ("rtswap ver", ["verify"]),
        ("rtswap -s a.jpg --faces ", ["all", "one"]),
    ],
)
def test_fish_completes(typed: str, offered: list[str], scripts: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "me photo.jpg").touch()
    program = f"source script; complete -C '{typed}'"
    (tmp_path / "script").write_text(scripts["fish"])
    done = subprocess.run(["fish", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == offered


def test_powershell_tables_have_no_key_twice(scripts: dict[str, str]) -> None:
    """A repeated key of a table, upper and lower case alike, is a syntax error in PowerShell."""
    for table in re.findall(r"choices = @\{ (.*?) \}", scripts["powershell"]):
        keys = [key.lower() for key in re.findall(r"'(--?[^']+)' = @", table)]
        assert len(set(keys)) == len(keys)
    text = scripts["powershell"]
    assert all(text.count(opening) == text.count(closing) for opening, closing in ("{}", "()", "[]"))
    assert text.count("'") % 2 == 0


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
