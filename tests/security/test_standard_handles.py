"""Whoever starts rtswap may have closed its standard input, output and errors, or left something in its input."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from paths import ROOT


@pytest.mark.skipif(os.name == "nt", reason="file descriptors are not inherited so on Windows")
def test_no_file_takes_the_number_of_a_closed_standard_stream(tmp_path: Path) -> None:
    """Native code prints there: a recording would hold it."""
    code = textwrap.dedent(f"""
        import os
        from rtswap.commands import main as module
        def main():
            with open({str(tmp_path / "file")!r}, "w") as file:
                file.write(str(file.fileno()))
            os.write(2, b"a warning")
            return 0
        module.main = main
        module.run_process()
    """)
    closing = f"exec {sys.executable} -c {shlex.quote(code)} 0<&- 1>&- 2>&-"
    assert subprocess.run(["sh", "-c", closing], cwd=ROOT, timeout=60, check=False).returncode == 0
    assert int((tmp_path / "file").read_text()) > 2


@pytest.mark.parametrize(("words", "code"), [(["personas"], 0), (["--nonsense"], 2)])
def test_what_is_left_in_the_standard_input_is_not_run(words: list[str], code: int) -> None:
    """With ``PYTHONINSPECT``, which some set for their own programs, Python goes on with what is there."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rtswap", *words],
        input="print('was run')\n",
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONINSPECT": "1"},
    )
    assert done.returncode == code
    assert "was run" not in done.stdout
    assert not any(word in done.stderr for word in ("SystemExit", ">>>"))
