"""The command lines of the evaluations."""

from __future__ import annotations

import argparse
from pathlib import Path


def evaluation_parser(module: str, description: str | None, *folders: str) -> argparse.ArgumentParser:
    """``--model``, ``--out`` with a training's caches, and required ``folders`` such as ``faces``."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--model", type=Path, required=True, help="exported network")
    parser.add_argument("--out", type=Path, required=True, help="the training's folder, for its caches")
    for name in folders:
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser
