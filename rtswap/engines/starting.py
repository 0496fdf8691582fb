"""Start an engine by name; import its package only then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rtswap.core.errors import EngineError
from rtswap.core.isolation import pip_install
from rtswap.core.protocols import Engine
from rtswap.gpu.driver import find_gpus

ENGINES = ("onnxruntime", "openvino", "torch-cuda", "tensorrt")
"""In order of preference at equal speed; the first that runs a network is the reference for the others."""
PACKAGES = ("onnxruntime", "openvino", "torch", "tensorrt_rtx", "tensorrt")
ON_GPU = ("torch-cuda", "tensorrt")
FULL = {"tensorrt": "tensorrt-fp32"}
"""Engine with reduced precision -> the same engine in float32, for networks where its outputs are wrong."""
HALF = {"openvino": "openvino-bf16"}
"""Engine -> the same engine in bfloat16 for networks that tolerate it (``Profile.half``), if the CPU supports it."""
INSTALL = {
    "onnxruntime": pip_install("onnxruntime"),
    "openvino": pip_install("openvino"),
    **dict.fromkeys((*ON_GPU, *FULL.values()), pip_install("rtswap[gpu]")),
}


def start(
    engine: str,
    network: str,
    content: bytes,
    threads: int,
    cache_dir: Path,
    on_event: Callable[[str], None] = lambda event: None,
    usual: Mapping[str, tuple[int, ...]] | None = None,
) -> Engine:
    """Load a network. ``usual``: the shapes its inputs mostly have. Raises ImportError, ModelError, EngineError."""
    if engine in ("openvino", "openvino-bf16"):
        from rtswap.engines.openvino import OpenVinoEngine

        precision = "bf16" if engine == "openvino-bf16" else "f32"
        cache = cache_dir / "openvino"
        return OpenVinoEngine(content, threads=threads, precision=precision, cache_dir=cache, usual=usual)
    if engine == "torch-cuda":
        from rtswap.engines.torch.engine import TorchEngine

        find_gpus()
        return TorchEngine(content, threads=threads)
    if engine in ("tensorrt", "tensorrt-fp32"):
        from rtswap.engines.tensorrt.engine import TensorRtEngine

        find_gpus()
        precision = "fp32" if engine == "tensorrt-fp32" else ""
        return TensorRtEngine(content, network=network, precision=precision, cache_dir=cache_dir, on_event=on_event)
    if engine == "onnxruntime":
        from rtswap.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(content, threads=threads)
    raise EngineError("unknown engine", expected=" or ".join(("auto", *ENGINES)), got=engine)


def why_no_gpu() -> str:
    """Return why no NVIDIA GPU can be used; empty if one can."""
    try:
        find_gpus()
    except EngineError as error:
        return str(error)
    return ""


def gpu_name() -> str:
    """Return the first GPU and its CUDA version, for records; empty if there is none."""
    try:
        return str(find_gpus()[0])
    except EngineError:
        return ""
