"""The torch engine: the reference on GPUs and the fallback for TensorRT. One CUDA graph per set of input shapes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rtswap.core.errors import ModelError
from rtswap.core.types import Tensor
from rtswap.engines.contract import cannot_run, check_inputs, check_threads, one_line, read_model_file
from rtswap.engines.tensorrt.batches import run_in_pieces
from rtswap.engines.torch.buffers import Shapes, Slots, Staging
from rtswap.engines.torch.graph import TORCH_ERRORS, Program
from rtswap.gpu import card as gpu_card
from rtswap.gpu.capture import capture

MOST_ROWS = 64
"""Maximum batch size. Batches are rounded up to a power of two, because each size needs its own CUDA graph (20 ms to
capture) and the detector's number of candidates varies."""


class TorchEngine:
    """One network. ``model`` is a path or the file's bytes. Raises ModelError for an invalid ONNX file.

    ``device``: ``cuda``, or ``cpu`` to check its arithmetic without a GPU. ``precision``: ``fp32`` (without TF32),
    ``fp16`` or ``bf16``, in which nodes whose first output is in ``keep`` stay in float32 (``Profile.keep``).
    """

    def __init__(
        self,
        model: Path | str | bytes,
        *,
        threads: int = 2,
        device: str = "cuda",
        precision: str = "fp32",
        keep: Collection[str] = (),
    ) -> None:
        check_threads(threads)
        content = read_model_file(model)
        self._torch = torch = gpu_card.load_torch()
        self._cuda = device != "cpu"
        self._precision = precision
        self._stream = None
        if self._cuda:
            gpu_card.find_card(torch)
            self._stream = torch.cuda.Stream()
        else:
            torch.set_num_threads(threads)
        try:
            where = gpu_card.DEVICE if self._cuda else "cpu"
            self._program = Program(torch, content, device=where, precision=precision, keep=keep)
        except (ModelError, *TORCH_ERRORS) as error:
            raise cannot_run(model, "torch", error) from error
        self.inputs = self._program.inputs
        self._names = tuple(spec.name for spec in self.inputs)
        specs = (*self.inputs, *self._program.outputs)
        self._free_batch = all(spec.shape[:1] == (None,) for spec in specs)
        self._slots: Slots[_Slot] = Slots(
            self._make_slot, torch=torch, stream=self._stream, names=self._names, library="torch"
        )
        self.without_graph = ""
        """Why no CUDA graph could be captured; empty if all were."""

    @property
    def name(self) -> str:
        ending = "" if self._precision == "fp32" else f"-{self._precision}"
        return f"torch-{'cuda' if self._cuda else 'cpu'}{ending}"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Run one forward pass. Outputs are valid until the next run with the same input shapes. Raises
        EngineError."""
        tensors = check_inputs(self.inputs, inputs)
        torch = self._torch
        with self._guarded():
            if self._cuda:
                counts = {len(one) for one in tensors} if self._free_batch else set()
                if len(counts) == 1 and counts != {0}:
                    return run_in_pieces(tensors, 1, MOST_ROWS, self._slots.run_on_host)
                return self._slots.run_on_host(tensors)
            given = zip(self._names, tensors, strict=True)
            found = self._program({name: torch.from_numpy(tensor.copy()) for name, tensor in given})
            return {name: value.contiguous().numpy() for name, value in found.items()}

    def run_on_device(self, inputs: Mapping[str, Any], *, own: bool = False) -> Mapping[str, Any]:
        """As ``run``, with input and output tensors on the device. The caller's stream waits for the results; the
        call itself does not block. Raises EngineError."""
        with self._guarded():
            if not self._cuda:
                return self._program({name: inputs[name] for name in self._names})
            return self._slots.run_on_device(inputs, own=own)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Disable TF32, whose mantissa has 10 bits instead of float32's 23, and turn torch's errors into
        EngineError."""
        exact = self._torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with self._slots.guarded(), self._torch.inference_mode(), exact:
            yield

    def _make_slot(self, shapes: Shapes) -> _Slot:
        slot = _Slot(self._torch, self._program, shapes, self._stream)
        self.without_graph = self.without_graph or slot.failed
        return slot


class _Slot:
    """A captured CUDA graph and its buffers for one set of input shapes."""

    def __init__(self, torch: Any, program: Program, shapes: Shapes, stream: Any) -> None:
        self._program, self._graph = program, None
        self.failed = ""
        given = {
            spec.name: torch.zeros(shape, dtype=getattr(torch, spec.dtype.name), device=program.device)
            for spec, shape in zip(program.inputs, shapes, strict=True)
        }
        self.inputs = Staging(torch, given)
        self._found = {name: torch.empty_like(one) for name, one in _plain(program(given)).items()}
        try:
            self._graph, _ = capture(torch, stream, self._run)
        except TORCH_ERRORS as error:
            self.failed = one_line(error)
            torch.cuda.synchronize()
        self.outputs = Staging(torch, self._found)

    def launch(self) -> None:
        """Launch on the current stream without waiting."""
        if self._graph is not None:
            self._graph.replay()
        else:
            self._run()

    def _run(self) -> None:
        for name, value in _plain(self._program(self.inputs.device)).items():
            self._found[name].copy_(value)


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.contiguous() for name, value in found.items()}
