"""On a GPU: the same pictures as without one, a single wait at the end of a frame, and overlapping frames.

Run with RTSWAP_REQUIRE_CUDA=1 where a GPU is promised: these tests then fail without one instead of being skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from people import place_mesh

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.compositing.canvas.gpu import Compositor, TorchCanvas  # noqa: E402
from rtswap.core.types import BatchedTarget, Image, Quality, SourceIdentity, TargetBatch, View  # noqa: E402
from rtswap.disclosure import Badge  # noqa: E402
from rtswap.disclosure.stamp import Stamp  # noqa: E402
from rtswap.disclosure.watermark import Payload, Watermark  # noqa: E402
from rtswap.swappers.mesh.gpu import GpuMeshSwapModel, GpuMeshSwapper  # noqa: E402
from rtswap.swappers.mesh.swapper import MeshSwapModel  # noqa: E402
from rtswap.vision.geometry import transform  # noqa: E402

pytestmark = pytest.mark.cuda
W, H = 640, 360
MESHES = [place_mesh(120, (200, 180), yaw=10), place_mesh(90, (420, 170)), place_mesh(60, (630, 10))]


def picture(seed: int, width: int = W, height: int = H) -> Image:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 235, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return np.ascontiguousarray(np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width])


def swapper_on(device: str, mode: str = "plain") -> GpuMeshSwapper:
    source = SourceIdentity(picture(9, 512, 512), place_mesh(300, (256, 256)))
    bound = GpuMeshSwapModel(MeshSwapModel(skin=False), device, mode).bind(source)
    assert isinstance(bound, GpuMeshSwapper)
    return bound


def worked_on(
    compositor: Compositor, swapper: GpuMeshSwapper, image: Image, time_s: float = 0.0, stamp: Stamp | None = None
) -> TorchCanvas:
    """A frame through everything, up to where it is on its way down. ``stamp``: of the stream, if it goes on."""
    canvas = compositor.begin(image)
    views = [View(*swapper.view(mesh, 256)) for mesh in MESHES]
    faces = [
        BatchedTarget(k, transform(view.matrix, mesh), np.ones(468, np.float32), time_s, view.size)
        for k, (view, mesh) in enumerate(zip(views, MESHES, strict=True))
    ]
    crops = canvas.crops(views)
    canvas.cover(np.array([300, 200, 420, 340], np.float32), "blur")
    swapped = swapper.swap_all(TargetBatch(tuple(faces), crops), Quality())
    canvas.paste_all(swapped.crops, swapped.masks, views)
    (stamp or Stamp(Badge(), Watermark(Payload((1, 0))))).apply_on_gpu(canvas.frame)
    canvas.finish()
    return canvas


@contextmanager
def nothing_waits() -> Iterator[None]:
    """torch raises where an operation of its own would wait for the device."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_picture_is_the_one_without_a_gpu() -> None:
    pictures = [
        worked_on(Compositor(device), swapper_on(device), picture(1)).image().astype(int)
        for device in ("cpu", "cuda")
    ]
    difference = np.abs(pictures[0] - pictures[1])
    assert np.percentile(difference, 99.9) <= 2
    assert difference.mean() < 0.05


def test_outside_the_masks_every_bit_is_kept() -> None:
    image = picture(3)
    canvas = Compositor("cuda").begin(image)
    view = View(np.array([[1.1, -0.2, -200], [0.2, 1.1, -60]], np.float32), (96, 80))
    masks = torch.zeros((1, 96, 96), dtype=torch.uint8, device="cuda")
    canvas.paste_all(255 - canvas.crops([view]), masks, [view])
    np.testing.assert_array_equal(canvas.image(), image)


def test_nothing_waits_but_the_end_of_a_frame() -> None:
    compositor, swapper, stamp = Compositor("cuda"), swapper_on("cuda"), Stamp(Badge(), Watermark(Payload((1, 0))))
    worked_on(compositor, swapper, picture(1), stamp=stamp).image()
    for count in range(3):
        before = compositor.waits.count
        with nothing_waits():
            canvas = worked_on(compositor, swapper, picture(count), 0.2 * count, stamp)
        assert compositor.waits.count == before
        canvas.image()
        assert compositor.waits.count == before + 1


def test_frames_under_way_together_do_not_mix() -> None:
    compositor, swapper = Compositor("cuda"), swapper_on("cuda")
    alone = [worked_on(compositor, swapper_on("cuda"), picture(seed)).image().copy() for seed in range(6)]
    compositor = Compositor("cuda")
    last = worked_on(compositor, swapper_on("cuda"), picture(0))
    for seed in range(1, 6):
        following = worked_on(compositor, swapper_on("cuda"), picture(seed))
        assert np.percentile(np.abs(last.image().astype(int) - alone[seed - 1]), 99.5) <= 4
        last = following
    last.image()
    del swapper


def test_the_pixels_from_captured_graphs_are_the_same() -> None:
    plain, other = (Compositor("cuda") for _ in range(2))
    swappers = swapper_on("cuda"), swapper_on("cuda", "captured")
    for seed in range(3):
        wanted = worked_on(plain, swappers[0], picture(seed), 0.2 * seed).image().astype(int)
        got = worked_on(other, swappers[1], picture(seed), 0.2 * seed).image()
        assert np.percentile(np.abs(wanted - got), 99.9) <= 2
