"""Compile the Triton kernels for GPUs that are not in this machine, and print their sizes.

python scripts/compile_kernels.py            # Turing and Hopper; half a minute, no GPU, needs triton and torch
python scripts/compile_kernels.py 80 89 120  # these compute capabilities
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

USUAL = (75, 90)
POINTERS = {
    "table": "*fp32",
    "tiles": "*i8",
    "column_blocks": "*i64",
    "row_blocks": "*i64",
    "chosen": "*i32",
} | dict.fromkeys(("frame", "crops", "masks", "levels", "inks", "keeps"), "*u8")


def kernels() -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each kernel with the constants it is launched with."""
    from rtswap.compositing.canvas import triton_kernels
    from rtswap.compositing.canvas.face_table import FIELDS
    from rtswap.compositing.canvas.triton_launch import TILE
    from rtswap.disclosure import triton_marks

    tile = {"FIELDS": FIELDS, "TX": TILE[0], "TY": TILE[1]}
    yield triton_kernels.crop, tile
    yield triton_kernels.paste, tile
    across, down = triton_marks.TILE
    yield triton_marks.write, {"MARKED": True, "BADGED": True, "TX": across, "TY": down}


def signature(kernel: Any, constants: Mapping[str, Any]) -> dict[str, str]:
    """Return the type of every argument."""
    return {name: "constexpr" if name in constants else POINTERS.get(name, "i32") for name in kernel.arg_names}


def main(arguments: list[str]) -> None:
    """Compile all kernels and print the results. Raises Triton's CompilationError."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    for capability in [int(text) for text in arguments] or USUAL:
        for kernel, constants in kernels():
            begin = time.perf_counter()
            source = ASTSource(fn=kernel, signature=signature(kernel, constants), constexprs=dict(constants))
            built = triton.compile(source, target=GPUTarget("cuda", capability, 32))
            size, taken = len(built.asm["cubin"]), time.perf_counter() - begin
            print(f"sm_{capability} {kernel.__name__} {constants}: {size} bytes in {taken:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
