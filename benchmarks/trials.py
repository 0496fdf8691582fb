"""Measure two simpler designs against the current ones; works without a GPU, as far as possible.

    PYTHONPATH=. python benchmarks/trials.py --json benchmarks/results/trials.json [--device cuda]

``canvas``: one canvas in plain torch instead of plain torch and Triton. Per 720p frame: the kernels that plain torch
launches (operators that are not views, counted by a dispatch mode; a CUDA build launches at least one for each) and
the bytes they read and write, compared with the launches and the minimum traffic of Triton. On ``cuda`` both are
timed.

``modules``: our own networks as the ``nn.Module``s that they were trained as, instead of the table of ONNX operators.
Outputs and times of both, and of ONNX Runtime on the CPU, in turns; the operators each launches per pass.

Needs torch (``pip install "rtswap[train]"``).
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from results_file import tell

from rtswap.commands.evaluate.speed import time_in_turn
from rtswap.compositing.canvas.face_table import crop_table, paste_table, side_for
from rtswap.compositing.canvas.gpu import Kernels, PlainKernels, kernels_for
from rtswap.core.machine import processor_name
from rtswap.core.types import View
from rtswap.disclosure.badge import Badge
from rtswap.disclosure.gpu import GpuMarks, write_plain
from rtswap.disclosure.watermark import Payload
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.telemetry import no_telemetry
from rtswap.engines.torch.engine import TorchEngine
from rtswap.engines.torch.graph import Program
from rtswap.gpu.resample import Tensor, uploaded
from rtswap.gpu.torch_import import load_torch
from rtswap.training.onnx_files import load_weights
from rtswap.vision.geometry import upright_view
from training.landmarks import network as landmarks
from training.masks import network as masks
from training.recognition import network as recognition
from training.refiner import network as refiner

with no_telemetry():
    import onnxruntime

torch = load_torch()
ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "rtswap/assets"
WIDTH, HEIGHT, FACE = 1280, 720, 256
CANVAS_FILES = {
    "plain torch": ("plain_torch.py",),
    "Triton": ("triton_kernels.py", "triton_launch.py", "../../disclosure/triton_marks.py"),
    "both and the host": ("plain_torch.py", "triton_kernels.py", "triton_launch.py", "gpu.py", "host.py"),
}
OPERATOR_FILES = ("graph.py", "layers.py", "operators.py")
MODULES: Mapping[str, Callable[[], Any]] = {
    "landmarks": lambda: landmarks.Deployed(landmarks.LandmarkNetwork()),
    "occlusion": lambda: masks.Deployed(masks.OcclusionNetwork()),
    "recognition": lambda: recognition.Deployed(recognition.RecognitionNetwork()),
    "refiner": lambda: refiner.Deployed(refiner.Refiner()),
}
"""Network file in rtswap -> the module it was exported from."""


class Operators:
    """Counts the operators that do work, and the bytes they read and write, inside a ``with`` block."""

    def __init__(self) -> None:
        from torch.utils._python_dispatch import TorchDispatchMode

        self.count = self.bytes = 0
        outer = self

        class Mode(TorchDispatchMode):
            def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                found = function(*args, **(kwargs or {}))
                outer.note(function.__name__.partition(".")[0], _tensors(args), _tensors(_as_list(found)))
                return found

        self._mode = Mode()

    def note(self, name: str, taken: list[Tensor], made: list[Tensor]) -> None:
        """Count an operator and its bytes, unless it is a view or an allocation without a write."""
        places = {one.untyped_storage().data_ptr() for one in taken}
        is_view = bool(made) and made[0].untyped_storage().data_ptr() in places and not name.endswith("_")
        if not is_view and "empty" not in name:
            self.count += 1
            self.bytes += sum(one.numel() * one.element_size() for one in (*taken, *made))

    def __enter__(self) -> Operators:
        self._mode.__enter__()
        return self

    def __exit__(self, *reason: Any) -> None:
        self._mode.__exit__(*reason)


def _tensors(values: Any) -> list[Tensor]:
    return [one for value in values for one in _as_list(value) if isinstance(one, torch.Tensor)]


def _as_list(found: Any) -> list[Any]:
    return list(found) if isinstance(found, list | tuple) else [found]


def canvas(device: str) -> dict[str, Any]:
    """Compare plain torch with Triton on frames with one and three faces."""
    found: dict[str, Any] = {
        "lines": {name: _lines("rtswap/compositing/canvas", *files) for name, files in CANVAS_FILES.items()}
    }
    for faces in (1, 3):
        frame = _frame(PlainKernels(), faces, device)
        frame()
        with Operators() as counted:
            frame()
        figures: dict[str, Any] = {
            "plain torch": {"kernels": counted.count, "megabytes": round(counted.bytes / 1e6, 1)},
            "Triton": {"kernels": 3, "megabytes": _least_megabytes(faces)},
        }
        works = {"plain torch": frame}
        if device == "cuda":
            works["Triton"] = _frame(kernels_for(torch.device(device)), faces, device)
        for name, times in time_in_turn({name: _with_wait(work, device) for name, work in works.items()}).items():
            figures[name] |= times
        found[f"{faces} faces"] = figures
    return found


def _frame(kernels: Kernels, faces: int, device: str) -> Callable[[], object]:
    """Run crops, pastes, mark and badge of one frame, without upload and download, which are the same for both."""
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    frame = uploaded(picture, torch.device(device))
    marks = GpuMarks(Badge(), Payload((0, 1)), (WIDTH, HEIGHT), frame.device)
    write = write_plain
    if not isinstance(kernels, PlainKernels):
        from rtswap.disclosure.triton_marks import write_marks as write
    views = []
    for number in range(faces):
        box = np.array([100 + 400 * number, 200, 100 + 400 * number + FACE, 200 + FACE])
        views.append(View(upright_view(box, (FACE, FACE)), (FACE, FACE)))
    masks_ = uploaded(np.full((faces, FACE, FACE), 128, np.uint8), frame.device)

    def work() -> None:
        table = crop_table(views)
        crops = kernels.crop(frame, table, uploaded(table, frame.device), side_for(views))
        table = paste_table(views, (WIDTH, HEIGHT))
        kernels.paste(frame, crops, masks_, table, uploaded(table, frame.device))
        write(frame, marks.watermark, marks.badge)

    return work


def _least_megabytes(faces: int) -> float:
    """Return the minimum traffic of the Triton kernels in MB: each pixel of a crop is read and written; for a pasted
    face, face, mask and frame are read and the frame is written; the frame is read and written once more."""
    face = FACE * FACE
    return round((faces * face * (2 * 3 + 3 * 3 + 1) + 2 * WIDTH * HEIGHT * 3) / 1e6, 1)


def _with_wait(work: Callable[[], object], device: str) -> Callable[[], object]:
    if device != "cuda":
        return work

    def waited() -> None:
        work()
        torch.cuda.synchronize()

    return waited


def modules(device: str, threads: int) -> dict[str, Any]:
    """Compare the operator table with the modules."""
    found: dict[str, Any] = {"lines of the table": _lines("rtswap/engines/torch", *OPERATOR_FILES), "networks": {}}
    found["networks that have no module"] = ["pnet", "rnet", "onet", "dlib", "dlib-stages"]
    for name, make in MODULES.items():
        path = ASSETS / f"{name}.onnx"
        table = TorchEngine(path, threads=threads, device=device)
        processor = OnnxRuntimeEngine(path, threads=threads)
        module = load_weights(path, make()).to(device)
        given = {spec.name: _values(spec.dtype, spec.shape) for spec in table.inputs}
        tensors = [torch.from_numpy(value).to(device) for value in given.values()]
        outputs = {spec: value.copy() for spec, value in table.run(given).items()}
        with torch.inference_mode():
            answers = _as_list(module(*tensors))
        with Operators() as by_module, torch.no_grad():
            module(*tensors)
        program = Program(torch, path.read_bytes(), device=device)
        named = dict(zip(given, tensors, strict=True))
        with Operators() as by_table, torch.no_grad():
            program(named)

        def by_nn(module: Any = module, tensors: list[Tensor] = tensors) -> None:
            with torch.inference_mode():
                module(*tensors)

        works = {
            "operator table": lambda table=table, given=given: table.run(given),
            "nn.Module": _with_wait(by_nn, device),
            "ONNX Runtime": lambda processor=processor, given=given: processor.run(given),
        }
        apart = [
            np.abs(answer.cpu().numpy() - value).max()
            for answer, value in zip(answers, outputs.values(), strict=True)
        ]
        found["networks"][name] = {
            "apart": float(f"{max(apart):.2g}"),
            "largest": float(f"{max(np.abs(value).max() for value in outputs.values()):.3g}"),
            "operators": {"operator table": by_table.count, "nn.Module": by_module.count},
            **time_in_turn(works),
        }
    return found


def _values(dtype: np.dtype[Any], shape: tuple[int | None, ...]) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    lengths = [length or 1 for length in shape]
    return rng.integers(0, 256, lengths, np.uint8) if dtype == np.uint8 else rng.normal(size=lengths).astype(dtype)


def _lines(folder: str, *names: str) -> int:
    return sum(len((ROOT / folder / name).read_text("utf-8").splitlines()) for name in names)


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    report = {
        "machine": {
            "processor": processor_name(),
            "cores": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 2),
            "device": options.device if options.device == "cpu" else torch.cuda.get_device_name(),
            "threads": options.threads,
            "system": platform.platform(),
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
        "canvas": canvas(options.device),
        "modules": modules(options.device, options.threads),
    }
    tell(report, options.json)


if __name__ == "__main__":
    main()
