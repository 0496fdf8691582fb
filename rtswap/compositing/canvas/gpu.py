"""The canvas on a GPU: a frame goes up once, everything is done there, it comes down once, and the host waits once.

``Compositor`` belongs to a stream of frames and keeps its memory; ``TorchCanvas`` is one frame being worked on. On a
device of type ``cpu`` the same is done by torch there: that is what tests without a GPU see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.canvas import plain_torch
from rtswap.compositing.canvas.face_table import Table, crop_table, paste_table, side_for
from rtswap.compositing.canvas.host import COVER_CELLS
from rtswap.core.protocols import Stamp
from rtswap.core.types import Box, Image, Mask, Matrix, StampedImage, View
from rtswap.gpu.resample import Tensor, uploaded
from rtswap.gpu.slots import Lanes, Slot, Slots, Waits
from rtswap.gpu.torch_import import load_torch
from rtswap.vision.geometry import clip_box

torch = load_torch()


class Kernels(Protocol):
    """What is done to pixels: ``PlainKernels``, or ``triton_launch.TritonKernels``."""

    def crop(self, frame: Tensor, table: Table, on_device: Tensor, side: int) -> Tensor: ...

    def paste(self, frame: Tensor, crops: Tensor, masks: Tensor, table: Table, on_device: Tensor) -> None: ...


class PlainKernels:
    """In plain torch."""

    def crop(self, frame: Tensor, table: Table, on_device: Tensor, side: int) -> Tensor:
        """(N, side, side, 3)"""
        return plain_torch.crop_faces(frame, table, on_device, side)

    def paste(self, frame: Tensor, crops: Tensor, masks: Tensor, table: Table, on_device: Tensor) -> None:
        """In place, every face in order."""
        plain_torch.paste_faces(frame, crops, masks, table, on_device)


class Compositor:
    """Makes canvases. One per stream, used by one thread.

    ``frames``: how many may be under way: with two, the next frame goes up and the last one comes down while one is
    worked on.
    """

    def __init__(
        self,
        device: str = "cuda",
        *,
        waits: Waits | None = None,
        kernels: Kernels | None = None,
        frames: int = 2,
    ) -> None:
        self.device = torch.device(device)
        self.kernels = kernels or kernels_for(self.device)
        self.waits = waits or Waits()
        self._lanes, self._frames = Lanes(self.device), frames
        self._shape: tuple[int, ...] = ()
        self._slots: Slots | None = None

    def begin(self, picture: Image) -> TorchCanvas:
        """A canvas of a frame. On return the upload is under way, and ``picture`` may be written again. Raises
        RuntimeError where ``frames`` pictures wait to be taken."""
        if self._slots is None or picture.shape != self._shape:
            self._shape = picture.shape
            self._slots = Slots(self._frames, self._shape, self._lanes, self.waits)
        slot = self._slots.take()
        return TorchCanvas(self, self._slots, slot, slot.send_up(picture))


class TorchCanvas:
    """One frame. Implements ``protocols.Canvas`` for parts that work on the host (each ``crop`` is then one wait
    more), and ``protocols.GpuCanvas``: the same for all faces at once for parts that work on the device."""

    def __init__(self, owner: Compositor, slots: Slots, slot: Slot, frame: Tensor) -> None:
        self._owner, self._slots, self._slot, self._frame = owner, slots, slot, frame
        self._host_pastes: list[tuple[Image, Mask, View]] = []
        self._beside: list[tuple[Tensor, Callable[[NDArray[Any]], None]]] = []
        self._taken: Image | None = None

    @property
    def frame(self) -> Tensor:
        """(H, W, 3) BGR uint8 on the device, as it is now: networks may read it, in the stream that computes."""
        self._flush()
        return self._frame

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self._frame.shape[1], self._frame.shape[0]

    def crops(self, views: Sequence[View]) -> Tensor:
        """(N, S, S, 3) uint8 on the device, by one kernel for all faces: what each view sees lies in the upper left
        corner, its last pixels repeated beyond. S is one of ``face_table.SIDES``."""
        self._flush()
        table = crop_table(views)
        on_device = uploaded(table, self._owner.device)
        return self._owner.kernels.crop(self._frame, table, on_device, side_for(views))

    def paste_all(self, crops: Tensor, masks: Tensor, views: Sequence[View]) -> None:
        """Blend crops (N, S, S, 3) under masks (N, S, S), both uint8 on the device, back where the views took them
        from: one kernel for all faces, later ones over earlier ones. Pixels with mask 0 keep every bit."""
        self._flush()
        if views:
            table = paste_table(views, self.size)
            on_device = uploaded(table, self._owner.device)
            self._owner.kernels.paste(self._frame, crops, masks, table, on_device)

    def crop(self, matrix: Matrix, size: tuple[int, int]) -> Image:
        """(height, width, 3) on the host. Waits for the device."""
        seen = self.crops([View(matrix, size)])[0, : size[1], : size[0]].contiguous()
        (copy,), event = self._slot.lanes.down([seen])
        self._owner.waits.on(event)
        return np.asarray(copy.numpy(), np.uint8)

    def paste(self, crop: Image, mask: Mask, matrix: Matrix) -> None:
        """As ``protocols.Canvas``; crops of the host are kept and go up together."""
        self._host_pastes.append((crop, mask, View(matrix, (mask.shape[1], mask.shape[0]))))

    def cover(self, box: Box, style: str) -> None:
        """As ``protocols.Canvas``."""
        self._flush()
        x1, y1, x2, y2 = clip_box(box, *self.size)
        if x1 >= x2 or y1 >= y2:
            return
        width, height = x2 - x1, y2 - y1
        side = max(width, height) / COVER_CELLS
        cells = max(1, round(width / side)), max(1, round(height / side))
        plain_torch.cover(self._frame, (x1, y1, x2, y2), cells, style)

    def on_download(self, tensor: Tensor, then: Callable[[NDArray[Any]], None]) -> None:
        """As ``protocols.OnDownload``. Not after ``finish``."""
        self._beside.append((tensor, then))

    def finish(self) -> None:
        """Send the picture on its way down. Nothing more can be done to it, and nobody waits."""
        if not self._finished:
            self._flush()
            self._slot.send_down(self._frame, [tensor for tensor, _ in self._beside])

    def image(self) -> Image:
        """The picture as it is, in memory of its own; the one wait of the frame. What was to come ``on_download`` is
        told first."""
        if self._taken is None:
            self.finish()
            self._taken, *beside = self._slots.receive(self._slot)
            for (_, then), values in zip(self._beside, beside, strict=True):
                then(values)
        return self._taken

    def deliver(self, stamp: Stamp) -> StampedImage:
        """As ``protocols.GpuCanvas``. Raises RuntimeError where the picture is on its way down already."""
        if self._finished:
            raise RuntimeError("the picture was sent down before it was stamped")
        receipt_for = stamp.apply_on_gpu(self.frame)
        return receipt_for(self.image())

    @property
    def _finished(self) -> bool:
        return self._slot.leaves or self._taken is not None

    def _flush(self) -> None:
        """Paste what came from the host."""
        if not self._host_pastes:
            return
        pastes, self._host_pastes = self._host_pastes, []
        views = [view for *_, view in pastes]
        side = max(max(view.size) for view in views)
        crops = np.zeros((len(pastes), side, side, 3), np.uint8)
        masks = np.zeros((len(pastes), side, side), np.uint8)
        for index, (crop, mask, view) in enumerate(pastes):
            width, height = view.size
            crops[index, :height, :width], masks[index, :height, :width] = crop, mask
        device = self._owner.device
        self.paste_all(uploaded(crops, device), uploaded(masks, device), views)


def kernels_for(device: Any) -> Kernels:
    """Triton's where there is a GPU, else plain torch. Raises EngineError where Triton is missing on a GPU."""
    if device.type != "cuda":
        return PlainKernels()
    from rtswap.compositing.canvas.triton_launch import TritonKernels

    kernels: Kernels = TritonKernels()
    return kernels
