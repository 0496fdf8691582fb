"""Build TensorRT plans of rtswap's networks or of any ONNX file; the same as ``rtswap build``.

python scripts/build_engines.py
python scripts/build_engines.py landmarks my.onnx --precision bf16 --target 8.9 --batch 1,4,16
"""

from __future__ import annotations

import sys

from rtswap.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["build", *sys.argv[1:]]))
