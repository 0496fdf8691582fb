"""Build TensorRT plans of the networks that come with rtswap, or of any ONNX file. No GPU is needed for it.

python scripts/build_engines.py
python scripts/build_engines.py landmarks my.onnx --precision bf16 --target 8.9 --batch 1,4,16
"""

from __future__ import annotations

import argparse
import sys

from rtswap.console import Console
from rtswap.engines.build_command import build_networks, read_wish
from rtswap.errors import RtswapError
from rtswap.models.catalog import shipped_catalog
from rtswap.models.registry import Registry


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK|FILE.onnx", help="which ones [all in the catalogue]")
    parser.add_argument("--precision", default="", help="fp32, fp16 or bf16 [what is known to be safe]")
    parser.add_argument("--target", default="", help="compute capability such as 8.9 [every card]")
    parser.add_argument("--batch", default="", help="faces at once: 4, or least,usual,most as in 1,4,16")
    parser.add_argument("--force", action="store_true", help="build again what is there")
    given = parser.parse_args()
    console = Console()
    try:
        registry = Registry(on_event=console.event)
        result = build_networks(
            given.names,
            catalog=list(shipped_catalog()),
            path_of=registry.path,
            folder=registry.folder,
            wish=read_wish(given.precision, given.target, given.batch, force=given.force),
            on_progress=console.progress,
            on_event=console.event,
        )
    except RtswapError as error:
        print(f"build_engines: {error}", file=sys.stderr)
        return error.exit_code
    console.summary(result)
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
