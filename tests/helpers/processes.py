"""Run Python code in a new process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from paths import ROOT


def run_python(
    code: str, *words: str, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` with the arguments ``words`` from the repository's root. Raises CalledProcessError if ``check``
    and it fails, TimeoutExpired after 60 s."""
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=env,
        check=check,
        timeout=60,
    )
