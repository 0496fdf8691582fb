"""The TensorRT engine: runs cached or newly built plans, with buffers and stream from torch.

Each set of input shapes has one execution context, one set of buffers and one CUDA graph. Batches are rounded up to
the next power of two and split at the plan's maximum, so one more face in a frame usually needs no new context.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtswap.core.errors import EngineError
from rtswap.core.isolation import pip_install
from rtswap.core.types import Tensor
from rtswap.engines.build.all_plans import PlanOptions, plan_for, recipe_for
from rtswap.engines.contract import TensorSpec, check_inputs, check_threads, read_model_file
from rtswap.engines.tensorrt.batches import run_in_pieces
from rtswap.engines.tensorrt.module import TensorRt, load_tensorrt_for
from rtswap.engines.tensorrt.plan import CURRENT, Manifest
from rtswap.engines.tensorrt.plan_store import PlanCache, plan_folder
from rtswap.engines.tensorrt.runtime import ReadyPlan
from rtswap.engines.torch.buffers import Shapes, Slots, Staging
from rtswap.gpu import card as gpu_card
from rtswap.gpu.capture import WARM_UPS, capture
from rtswap.gpu.driver import Gpu

_ON_REQUEST = ("7.5",)
"""Compute capabilities that TensorRT for RTX supports only with plans built for them."""
_SLOTS = 12


class TensorRtEngine:
    """One network. ``model`` is a path or the file's bytes; ``network`` is its name, which selects the profile.

    ``cache_dir`` stores plans and compiled kernels; None = build and compile each time. ``precision``: ``fp32``,
    ``fp16``, ``bf16``, or empty for the profile's. Raises ModelError for an invalid ONNX file, EngineError if there
    is no GPU, no TensorRT, or no plan that runs.
    """

    def __init__(
        self,
        model: Path | str | bytes,
        *,
        threads: int = 2,
        network: str = "network",
        precision: str = "",
        cache_dir: Path | None = None,
        on_event: Callable[[str], None] = lambda event: None,
    ) -> None:
        check_threads(threads)
        content = read_model_file(model)
        self._torch = gpu_card.load_torch()
        card = gpu_card.find_card(self._torch)
        self._tensorrt = load_tensorrt_for(card.capability)
        cache = None if cache_dir is None else PlanCache(plan_folder(cache_dir), on_event=on_event)
        self._manifest, self._plan = self._load_supported(content, network, precision, cache, card)
        self.inputs = tuple(_caller_spec(spec, self._manifest) for spec in self._manifest.inputs)
        self._stream = self._torch.cuda.Stream()
        names = tuple(spec.name for spec in self.inputs)
        self._slots: Slots[_Slot] = Slots(
            self._make_slot, torch=self._torch, stream=self._stream, names=names, library="TensorRT", most=_SLOTS
        )
        self._finalizer = weakref.finalize(self, self._plan.save_kernels)

    @property
    def name(self) -> str:
        return f"tensorrt-{self._manifest.recipe.precision}"

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Run one forward pass. Outputs are valid until the next run with the same input shapes. Raises
        EngineError."""
        tensors = check_inputs(self.inputs, inputs)
        least, _, most = self._manifest.recipe.batch
        with self._slots.guarded():
            if not self._manifest.free_batch:
                return self._slots.run_on_host(tensors)
            return run_in_pieces(tensors, least, most, self._slots.run_on_host)

    def run_on_device(self, inputs: Mapping[str, Any], *, own: bool = False) -> Mapping[str, Any]:
        """As ``run``, with input and output tensors on the GPU, for a batch size within the plan's range. The
        caller's stream waits for the results; the call itself does not block. Raises EngineError."""
        with self._slots.guarded():
            return self._slots.run_on_device(inputs, own=own)

    def _load_supported(
        self, content: bytes, network: str, precision: str, cache: PlanCache | None, card: Gpu
    ) -> tuple[Manifest, ReadyPlan]:
        """Load the plan on the GPU. On a GPU that TensorRT for RTX does not list, try a plan built for the current
        GPU; if that fails too, raise an error that names the supported GPUs."""
        if self._tensorrt.serves(card.capability):
            return self._load(content, network, precision, cache, card, "")
        try:
            return self._load(content, network, precision, cache, card, CURRENT)
        except EngineError as error:
            raise _unsupported(self._tensorrt, card, error) from error

    def _load(
        self, content: bytes, network: str, precision: str, cache: PlanCache | None, card: Gpu, target: str
    ) -> tuple[Manifest, ReadyPlan]:
        """Load the plan; a cached plan that TensorRT rejects is rebuilt once."""
        tensorrt = self._tensorrt
        if tensorrt.portable and card.capability in _ON_REQUEST:
            target = card.capability
        recipe = recipe_for(network, PlanOptions(precision or None, target))
        tied = "" if tensorrt.portable and target != CURRENT else card.model
        plan, manifest, fresh = plan_for(content, network, recipe, tensorrt, cache, card=tied)
        kernels = None if cache is None else cache.kernels_file(network, manifest.key, card.model)
        try:
            return manifest, ReadyPlan(plan, network, tensorrt, kernels)
        except EngineError:
            if fresh:
                raise
        plan, manifest, _ = plan_for(content, network, recipe, tensorrt, cache, card=tied, force=True)
        return manifest, ReadyPlan(plan, network, tensorrt, kernels)

    def _make_slot(self, shapes: Shapes) -> _Slot:
        return _Slot(self._torch, self._plan, self._manifest, shapes, self._stream)


def _caller_spec(spec: TensorSpec, manifest: Manifest) -> TensorSpec:
    """Return the input spec for callers: any batch size if the network's is dynamic, whatever the plan's range."""
    return replace(spec, shape=(None, *spec.shape[1:])) if manifest.free_batch else spec


def _unsupported(tensorrt: TensorRt, card: Gpu, error: EngineError) -> EngineError:
    """Return the error for an unsupported GPU; the same for every network, so that it is reported once."""
    return EngineError(
        f"{tensorrt.refusal(card.capability)} ({card.name}), and a plan built for this GPU does not run either",
        expected=f"one of {', '.join(tensorrt.targets)}, or newer",
        got=error.got,
        do=f"Use --engine torch-cuda, or install classic TensorRT: {pip_install('tensorrt')}",
    )


class _Slot:
    """Execution context, buffers and CUDA graph for one set of input shapes."""

    def __init__(self, torch: Any, plan: ReadyPlan, manifest: Manifest, shapes: Shapes, stream: Any) -> None:
        self._context, self._plan, self._stream, self._graph = plan.context(), plan, stream, None
        given = {}
        for spec, shape in zip(manifest.inputs, shapes, strict=True):
            if not self._context.set_input_shape(spec.name, shape):
                wanted = f"the plan's range: batch {manifest.recipe.batch}, sides {manifest.recipe.side}"
                raise EngineError(
                    f"the network's input {spec.name} has the wrong shape", expected=wanted, got=str(shape)
                )
            given[spec.name] = torch.zeros(shape, dtype=getattr(torch, spec.dtype.name), device=gpu_card.DEVICE)
        found = {
            spec.name: torch.empty(
                tuple(self._context.get_tensor_shape(spec.name)),
                dtype=getattr(torch, spec.dtype.name),
                device=gpu_card.DEVICE,
            )
            for spec in manifest.outputs
        }
        for name, tensor in {**given, **found}.items():
            self._context.set_tensor_address(name, tensor.data_ptr())
        self.inputs, self.outputs = Staging(torch, given), Staging(torch, found)
        if not plan.captures_graphs:
            self._graph, _ = capture(torch, stream, self.launch)
            return
        for _ in range(WARM_UPS):
            self.launch()
        stream.synchronize()

    def launch(self) -> None:
        """Launch the network on the engine's stream without waiting for it. Raises EngineError."""
        if self._graph is not None:
            self._graph.replay()
        elif not self._context.execute_async_v3(self._stream.cuda_stream):
            raise EngineError("TensorRT cannot run the network", got=self._plan.reason())
