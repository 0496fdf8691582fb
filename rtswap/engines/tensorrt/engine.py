"""TensorRT as an engine: plans from the cache or built now, torch owns the buffers and the stream.

For each set of input shapes there is one context, one set of buffers and one CUDA graph. A batch is rounded up to the
next power of two and cut at what the plan takes, so that a picture with one more face needs nothing new.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtswap.core.errors import EngineError
from rtswap.core.types import Tensor
from rtswap.engines.build.all_plans import PlanOptions, plan_for, recipe_for
from rtswap.engines.contract import TensorSpec, check_inputs, check_threads, read_model_file
from rtswap.engines.tensorrt.batches import run_in_pieces
from rtswap.engines.tensorrt.module import TensorRt, load_tensorrt_for
from rtswap.engines.tensorrt.plan import CURRENT, Manifest
from rtswap.engines.tensorrt.plan_store import PlanCache, plan_folder
from rtswap.engines.tensorrt.runtime import ReadyPlan
from rtswap.engines.torch.buffers import Shapes, Slots, Staging
from rtswap.gpu import card as door
from rtswap.gpu.capture import WARM_UPS, capture
from rtswap.gpu.driver import Gpu

_ASKED_FOR = ("7.5",)
"""Cards that TensorRT for RTX serves only when a plan is built for them."""
_SLOTS = 12


class TensorRtEngine:
    """One network. ``model`` is a path or the file's bytes; ``network`` its name, which tells precision and ranges.

    ``cache_dir`` keeps plans and what was compiled on the card; None = build and compile each time.
    ``precision``: ``fp32``, ``fp16``, ``bf16``, or empty for what is known to be safe. Raises ModelError for a file
    that is no network, EngineError where there is no card, no TensorRT, or no plan that runs.
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
        self._torch = door.load_torch()
        card = door.find_card(self._torch)
        self._tensorrt = load_tensorrt_for(card.capability)
        cache = None if cache_dir is None else PlanCache(plan_folder(cache_dir), on_event=on_event)
        self._manifest, self._plan = self._ready(content, network, precision, cache, card)
        self.inputs = tuple(_as_given(spec, self._manifest) for spec in self._manifest.inputs)
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
        """One forward pass. Outputs live until the next run with inputs of these shapes. Raises EngineError."""
        tensors = check_inputs(self.inputs, inputs)
        least, _, most = self._manifest.recipe.batch
        with self._slots.guarded():
            if not self._manifest.free_batch:
                return self._slots.run_on_host(tensors)
            return run_in_pieces(tensors, least, most, self._slots.run_on_host)

    def run_on_device(self, inputs: Mapping[str, Any], *, own: bool = False) -> Mapping[str, Any]:
        """As ``run``, from tensors on the device to tensors on the device, for a batch that the plan takes as it is.
        The caller's stream waits for the results, the caller does not. Raises EngineError."""
        with self._slots.guarded():
            return self._slots.run_on_device(inputs, own=own)

    def _ready(
        self, content: bytes, network: str, precision: str, cache: PlanCache | None, card: Gpu
    ) -> tuple[Manifest, ReadyPlan]:
        """The plan on the card. A card that TensorRT for RTX does not name may still take a plan that is built for
        what is there; where it does not, that is said in words of ours."""
        if self._tensorrt.serves(card.capability):
            return self._loaded(content, network, precision, cache, card, "")
        try:
            return self._loaded(content, network, precision, cache, card, CURRENT)
        except EngineError as error:
            raise _not_served(self._tensorrt, card, error) from error

    def _loaded(
        self, content: bytes, network: str, precision: str, cache: PlanCache | None, card: Gpu, target: str
    ) -> tuple[Manifest, ReadyPlan]:
        """One from the cache that TensorRT does not take is built again, once."""
        tensorrt = self._tensorrt
        if tensorrt.portable and card.capability in _ASKED_FOR:
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


def _as_given(spec: TensorSpec, manifest: Manifest) -> TensorSpec:
    """What the caller may give: any batch where the network leaves it free, whatever the plan was built for."""
    return replace(spec, shape=(None, *spec.shape[1:])) if manifest.free_batch else spec


def _not_served(tensorrt: TensorRt, card: Gpu, error: EngineError) -> EngineError:
    """The same sentence for every network, so that it is told once."""
    return EngineError(
        f"{tensorrt.refusal(card.capability)} ({card.name}), nor does one that is built for it",
        expected=f"one of {', '.join(tensorrt.targets)}, or newer",
        got=error.got,
        do="Use --engine torch-cuda, or install the classic TensorRT: pip install tensorrt",
    )


class _Slot:
    """Context, buffers and graph for inputs of these shapes."""

    def __init__(self, torch: Any, plan: ReadyPlan, manifest: Manifest, shapes: Shapes, stream: Any) -> None:
        self._context, self._plan, self._stream, self._graph = plan.context(), plan, stream, None
        given = {}
        for spec, shape in zip(manifest.inputs, shapes, strict=True):
            if not self._context.set_input_shape(spec.name, shape):
                wanted = f"what the plan takes: batch {manifest.recipe.batch}, sides {manifest.recipe.side}"
                raise EngineError(f"the network's input {spec.name} does not fit", expected=wanted, got=str(shape))
            given[spec.name] = torch.zeros(shape, dtype=getattr(torch, spec.dtype.name), device=door.DEVICE)
        found = {
            spec.name: torch.empty(
                tuple(self._context.get_tensor_shape(spec.name)),
                dtype=getattr(torch, spec.dtype.name),
                device=door.DEVICE,
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
        """On the engine's stream; does not wait. Raises EngineError."""
        if self._graph is not None:
            self._graph.replay()
        elif not self._context.execute_async_v3(self._stream.cuda_stream):
            raise EngineError("TensorRT cannot run the network", got=self._plan.reason())
