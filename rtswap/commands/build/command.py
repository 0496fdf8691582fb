"""``rtswap build``: flags and entry point."""

from __future__ import annotations

from rtswap.commands.command import Command, Flags, console_of_flags
from rtswap.commands.flags import Parser


def _parser() -> Parser:
    made = Parser(
        "rtswap build",
        "Builds TensorRT plans of the networks that come with rtswap, or of any ONNX file. Needs no GPU.",
        "examples:\n  rtswap build                                       every network of the catalogue\n"
        "  rtswap build landmarks --precision fp16            one network, in half precision\n"
        "  rtswap build my.onnx --target 8.9 --batch 1,4,16   a file, for one compute capability, for 1 to 16 faces",
    )
    made.takes("names", "[NETWORK|FILE.onnx ...]", many=True)
    group = made.add_argument_group("Plans")
    group.add_argument("--precision", metavar="P", help="fp32, fp16 or bf16 [fp16 where it is accurate enough]")
    group.add_argument(
        "--target", metavar="N.N", help="compute capability of the GPU, such as 8.9 [8.0, 8.6, 8.9, 12.0 and later]"
    )
    group.add_argument("--batch", metavar="N[,N,N]", help="faces at once: 4, or min,usual,max as in 1,4,16")
    group.add_argument("--force", action="store_true", help="rebuild existing plans")
    return made.with_table(["console"], without=["console.stats"], config=False)


def _run(flags: Flags) -> int:
    from rtswap.commands.build.plans import build_networks, format_plans, read_options
    from rtswap.networks.catalog import current_name, load_catalog
    from rtswap.networks.registry import Registry

    words = (flags.get(name, "") for name in ("precision", "target", "batch"))
    catalog = load_catalog()
    with console_of_flags(flags) as console:
        registry = Registry(on_event=console.event)
        result = build_networks(
            [current_name(name, catalog) for name in flags.get("names") or []],
            catalog=list(catalog),
            path_of=registry.path,
            folder=registry.folder,
            options=read_options(*words, force="force" in flags),
            on_progress=console.progress,
            on_event=console.event,
        )
        console.answer(result, *format_plans(result))
    return 1 if result["failed"] else 0


COMMAND = Command("build", "build TensorRT plans of the networks; needs no GPU", _parser, _run)
