"""Measure the identity of swapped faces with dlib's network: centred cosines to source and target, and retrieval.

    python benchmarks/identity.py --faces FOLDER --pairs 200 --json out.json --sheet sheet.png

Sources and targets are different people, drawn with a fixed seed from a folder of photos. Retrieval: how often the
swapped face is nearest to its source among all sources. Runs ``rtswap eval`` and reports some of its figures. Needs
the extra ``identity``.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from results_file import tell

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.commands.evaluate.options import EvaluateOptions
from rtswap.commands.evaluate.run import evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--names", type=Path, help="file with one image name per line: use only these")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    if find_spec("face_recognition_models") is None:
        parser.error("the judge is missing: pip install 'rtswap[identity]'")
    names = set(arguments.names.read_text().split()) if arguments.names else None
    config = Config()
    config = replace(config, source=replace(config.source, i_have_consent=True))
    with tempfile.TemporaryDirectory() as folder:
        wanted = EvaluateOptions(
            sources=arguments.faces,
            pairs=arguments.pairs,
            seed=arguments.seed,
            out=Path(folder) / "eval",
            use=lambda path: names is None or path.name in names,
        )
        report, _ = evaluate(config, wanted, console=Console())
        if arguments.sheet:
            shutil.copyfile(wanted.out / "sheet.png", arguments.sheet)
    found = report["contenders"][config.swap.swapper]
    figures = {
        "command": f"python benchmarks/identity.py --pairs {arguments.pairs} --seed {arguments.seed}",
        "judge": report["judges"][0],
        "pairs": report["pairs"],
        "photos_refused": len(report["unusable_photos"]) + len(report["left_out"]),
        "cosine_to_source": found["pairs"]["to_source"],
        "cosine_to_target": found["pairs"]["to_target"],
        "margin": found["pairs"]["margin"]["mean"],
        "retrieval": found["all"]["retrieval"],
        "seconds_per_swap_median": round(found["speed_ms"]["median_ms"] / 1000, 4),
        "machine": report["machine"],
    }
    tell(figures, arguments.json)


if __name__ == "__main__":
    main()
