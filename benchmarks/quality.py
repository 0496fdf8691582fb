"""Run ``rtswap eval`` on photos of people held out from training, with a judge that is independent of the swap.

    python benchmarks/quality.py --faces FOLDER [--teacher FILE] [--pairs 100] [--json FILE] [eval's own flags]

``--faces``: sources and targets; only the 8 % that were held out from all training are used (by the CRC-32 of the
file's name, without those in training/left_out.txt). ``--teacher``: MediaPipe's face mesh as ONNX, which judges pose
and expression instead of our own landmark network.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import zlib
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.commands.evaluate.options import EvaluateOptions
from rtswap.commands.evaluate.run import evaluate
from training.people import is_usable


def is_held_out(path: Path) -> bool:
    """Whether an image was held out from all training."""
    return zlib.crc32(path.name.encode()) % 100 < 8 and is_usable(path.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--swapper", default=Config().swap.swapper)
    parser.add_argument("--against")
    parser.add_argument("--swapped", type=Path)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("rtswap_eval"))
    parser.add_argument("--json", type=Path, help="copy eval.json to this file")
    given = parser.parse_args()
    config = Config()
    config = replace(
        config,
        swap=replace(config.swap, swapper=given.swapper),
        source=replace(config.source, i_have_consent=True),  # the people in them are generated
    )
    wanted = EvaluateOptions(
        sources=given.faces,
        clips=given.clips,
        swapped=given.swapped,
        against=given.against,
        pairs=given.pairs,
        seed=given.seed,
        out=given.out,
        overwrite=True,
        judge=given.teacher,
        use=is_held_out,
    )
    command = shlex.join(["python", "benchmarks/quality.py", *sys.argv[1:]])
    console = Console()
    report, shown = evaluate(config, wanted, console=console, command=command)
    console.answer(report, *shown)
    if given.json:
        shutil.copyfile(given.out / "eval.json", given.json)


if __name__ == "__main__":
    main()
