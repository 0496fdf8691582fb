"""Upload, process and download frames on a GPU with several slots, so that the three overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.gpu.resample import Device, Tensor
from rtswap.gpu.torch_import import load_torch

torch = load_torch()


class Waits:
    """Waits for the device and counts the waits; the only place where the host waits."""

    def __init__(self) -> None:
        self.count = 0

    def on(self, event: Any) -> None:
        """Block until the event has completed. ``None`` (no GPU): return immediately."""
        self.count += 1
        if event is not None:
            event.synchronize()


class Lanes:
    """CUDA streams for upload and download besides the compute stream. Without a GPU copies are synchronous."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.on_gpu = device.type == "cuda"
        self._up: Any = torch.cuda.Stream(device) if self.on_gpu else None
        self._down: Any = torch.cuda.Stream(device) if self.on_gpu else None

    def up_after_computing(self) -> None:
        """Make the next upload wait, on the device, for the current computation, which may still read the memory."""
        if self.on_gpu:
            self._up.wait_stream(torch.cuda.current_stream(self.device))

    def up(self, target: Tensor, pinned: Tensor) -> Any:
        """Copy to the device; later work on the compute stream waits for it. Returns the event of its completion."""
        if not self.on_gpu:
            target.copy_(pinned)
            return None
        with torch.cuda.stream(self._up):
            target.copy_(pinned, non_blocking=True)
            event = torch.cuda.Event()
            event.record(self._up)
        torch.cuda.current_stream(self.device).wait_event(event)
        return event

    def down(self, sources: Sequence[Tensor]) -> tuple[list[Tensor], Any]:
        """Copy to the host after all work launched so far. Returns (copies, event of their completion). The copies
        are in pinned memory that belongs to the caller."""
        copies = [torch.empty(one.shape, dtype=one.dtype, pin_memory=self.on_gpu) for one in sources]
        if not self.on_gpu:
            for copy, source in zip(copies, sources, strict=True):
                copy.copy_(source)
            return copies, None
        computed = torch.cuda.Event()
        computed.record(torch.cuda.current_stream(self.device))
        self._down.wait_event(computed)
        with torch.cuda.stream(self._down):
            for copy, source in zip(copies, sources, strict=True):
                copy.copy_(source, non_blocking=True)
            event = torch.cuda.Event()
            event.record(self._down)
        return copies, event


class Slot:
    """Buffers of one frame: pinned on the host, and on the device. Only ``Slots`` frees it."""

    def __init__(self, shape: tuple[int, ...], lanes: Lanes) -> None:
        self.lanes = lanes
        self.pinned = torch.empty(shape, dtype=torch.uint8, pin_memory=lanes.on_gpu)
        self.raw = torch.empty(shape, dtype=torch.uint8, device=lanes.device)
        lanes.up_after_computing()
        self._going: Sequence[Tensor] = ()
        self.uploaded: Any = None
        self.downloaded: Any = None
        self.downloads: list[Tensor] = []
        self.leaves = False
        """Whether its download has started."""
        self.turn = 0
        """Number of the turn in which it was taken; 0: free."""

    def send_up(self, picture: NDArray[np.uint8]) -> Tensor:
        """Start the upload and return the frame's bytes on the device."""
        np.copyto(self.pinned.numpy(), picture)
        self.uploaded = self.lanes.up(self.raw, self.pinned)
        return self.raw

    def send_down(self, picture: Tensor, beside: Sequence[Tensor]) -> None:
        """Start the download of a frame and more tensors. Keeps references to them until the slot's next download, so
        that their memory is not reused."""
        self._going = (picture, *beside)
        self.downloads, self.downloaded = self.lanes.down(self._going)
        self.leaves = True


class Slots:
    """A few slots of one shape, used in turn."""

    def __init__(self, count: int, shape: tuple[int, ...], lanes: Lanes, waits: Waits) -> None:
        self._waits = waits
        self._slots = [Slot(shape, lanes) for _ in range(count)]
        self._turn = 0

    def take(self) -> Slot:
        """Return a free slot, or else the oldest one whose download was never started (a dropped frame). Raises
        RuntimeError if all slots are downloading: call ``receive`` first."""
        self._turn += 1
        for slot in self._slots:
            if not slot.turn:
                break
        else:
            dropped = [slot for slot in self._slots if not slot.leaves]
            if not dropped:
                raise RuntimeError(f"{len(self._slots)} frames are in flight: receive one before starting the next")
            slot = min(dropped, key=lambda one: one.turn)
            self._waits.on(slot.uploaded)
            slot.lanes.up_after_computing()
        slot.turn, slot.leaves = self._turn, False
        return slot

    def receive(self, slot: Slot) -> list[NDArray[Any]]:
        """Wait for the slot's downloads, free the slot, and return the frame and the other arrays."""
        self._waits.on(slot.downloaded)
        downloads, slot.downloads, slot.turn = slot.downloads, [], 0
        return [copy.numpy() for copy in downloads]
