"""Reusable buffers for each set of input shapes: pinned on the host, fixed on the GPU."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from rtswap.core.errors import EngineError
from rtswap.core.types import Tensor
from rtswap.engines.contract import one_line
from rtswap.engines.torch.graph import TORCH_ERRORS

Shapes = tuple[tuple[int, ...], ...]
S = TypeVar("S", bound="Slot")


class Slots(Generic[S]):
    """Creates an engine's slots and runs them on ``stream``: an LRU cache with at most ``most`` slots, one per set of
    input shapes. ``names``: input names in order. ``library``: named in error messages."""

    def __init__(
        self,
        make: Callable[[Shapes], S],
        *,
        torch: Any,
        stream: Any,
        names: Sequence[str],
        library: str,
        most: int = 32,
    ) -> None:
        self._make, self._torch, self._stream = make, torch, stream
        self._names, self._library, self._most = names, library, most
        self._slots: OrderedDict[Shapes, S] = OrderedDict()

    def __getitem__(self, shapes: Shapes) -> S:
        slot = self._slots.pop(shapes, None)
        if slot is None:
            slot = self._make(shapes)
        self._slots[shapes] = slot
        if len(self._slots) > self._most:
            self._slots.popitem(last=False)
        return slot

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn torch's errors into EngineError and discard all slots, which may be broken."""
        try:
            yield
        except TORCH_ERRORS as error:
            self._slots.clear()
            raise EngineError(f"the network failed in {self._library}", got=one_line(error)) from error

    def run_on_host(self, values: Sequence[Tensor]) -> dict[str, Tensor]:
        """Run NumPy arrays: one copy in, one copy out, one synchronisation. The slot's next run overwrites the
        outputs."""
        with self._torch.cuda.stream(self._stream):
            slot = self[tuple(value.shape for value in values)]
            slot.inputs.upload(self._names, values)
            slot.launch()
            outputs = slot.outputs.download()
        self._stream.synchronize()
        return outputs

    def run_on_device(self, inputs: Mapping[str, Any], *, own: bool = False) -> Mapping[str, Any]:
        """Run GPU tensors without blocking; the caller's stream waits for the results. They belong to the slot and
        are overwritten by its next run; with ``own`` they are copies that belong to the caller."""
        torch, stream = self._torch, self._stream
        given = {name: inputs[name] for name in self._names}
        caller = torch.cuda.current_stream()
        stream.wait_stream(caller)
        with torch.cuda.stream(stream):
            slot = self[tuple(tuple(value.shape) for value in given.values())]
            slot.inputs.take(given)
            slot.launch()
        found = slot.outputs.device
        if own:  # allocated on the caller's stream, filled on the engine's before its next run
            found = {name: torch.empty_like(one) for name, one in slot.outputs.device.items()}
            with torch.cuda.stream(stream):
                for name, one in slot.outputs.device.items():
                    found[name].copy_(one, non_blocking=True)
        caller.wait_stream(stream)
        return found


class Slot(Protocol):
    """Buffers for one set of input shapes, and the operation that computes the outputs."""

    inputs: Staging
    outputs: Staging

    def launch(self) -> None:
        """Launch on the current stream without waiting."""
        ...


class Staging:
    """Pairs of host and device tensors. The host memory is pinned, so that copies are asynchronous."""

    def __init__(self, torch: Any, device: Mapping[str, Any]) -> None:
        self.device = device
        self._host = {
            name: torch.empty(one.shape, dtype=one.dtype, pin_memory=one.is_cuda) for name, one in device.items()
        }
        self._arrays = {name: one.numpy() for name, one in self._host.items()}

    def take(self, given: Mapping[str, Any]) -> None:
        """Copy from other device memory, on the current stream."""
        for name, one in self.device.items():
            one.copy_(given[name], non_blocking=True)

    def upload(self, names: Sequence[str], values: Sequence[Tensor]) -> None:
        """Copy to the device, on the current stream, without waiting."""
        for name, value in zip(names, values, strict=True):
            self._arrays[name][...] = value
            self.device[name].copy_(self._host[name], non_blocking=True)

    def download(self) -> dict[str, Tensor]:
        """Start copying to the host on the current stream; the arrays are valid once it is synchronised."""
        for name, one in self.device.items():
            self._host[name].copy_(one, non_blocking=True)
        return dict(self._arrays)
