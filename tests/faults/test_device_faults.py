"""The same faults where faces are swapped on a device (here torch on the processor): no face leaves bare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from face_stream import shows_face
from faulty_outputs import FaultyDisclosure, Recorder, is_tagged
from faulty_parts import ScriptedInput, ScriptedSwapper, ScriptedTracker, TwoTracks, two_people
from faulty_sessions import MOMENTS, Played, assert_closed, assert_survived, play

torch = pytest.importorskip("torch", reason="torch is not installed")

from rtswap.compositing.canvas.gpu import Compositor, TorchCanvas  # noqa: E402
from rtswap.compositing.renderer_gpu import GpuRenderer  # noqa: E402
from rtswap.core.protocols import OnDownload, Stamp  # noqa: E402
from rtswap.core.types import Image, Quality, SwappedBatch, Target, TargetBatch  # noqa: E402
from rtswap.runtime.mapping import Assignment, SourceMapping  # noqa: E402
from rtswap.runtime.pipeline import Policy  # noqa: E402

STAMPS = ("raises", "forged", "another picture", "another stamp")


pytestmark = pytest.mark.usefixtures("one_thread")


class OnDevice(ScriptedSwapper):
    """``ScriptedSwapper`` for crops on a device; what it is told to do wrong, it does to tensors."""

    def swap_all(self, targets: TargetBatch, quality: Quality) -> Any:
        crops, masks = targets.crops.clone(), torch.zeros(targets.crops.shape[:3], dtype=torch.uint8)
        for index, face in enumerate(targets.faces):
            width, height = face.size
            own = np.ascontiguousarray(targets.crops[index, :height, :width].numpy())
            swapped = self.swap(Target(face.track_id, own, face.landmarks, face.visibility, 0.0), quality)
            if self._now() and self._kind == "writes into the target":
                targets.crops[index, :height, :width] = torch.from_numpy(own)
            if (self._now() and swapped is None) or swapped.crop.shape != own.shape or swapped.crop.dtype != np.uint8:
                return None if swapped is None else SwappedBatch(torch.from_numpy(swapped.crop), masks)
            if swapped.mask.shape != own.shape[:2] or swapped.mask.dtype != np.uint8:
                return SwappedBatch(crops, torch.from_numpy(swapped.mask))
            crops[index, :height, :width] = torch.from_numpy(swapped.crop)
            masks[index, :height, :width] = torch.from_numpy(swapped.mask)
        return SwappedBatch(crops, masks)


class FaultyCanvas:
    """A canvas on a device that fails in one method, as CUDA does: with a RuntimeError."""

    def __init__(self, inner: TorchCanvas, kind: str) -> None:
        self._inner, self._kind = inner, kind

    def __getattr__(self, name: str) -> Any:
        if name == self._kind:
            raise RuntimeError(f"CUDA error: an illegal memory access was encountered in {name}\nmore lines")
        if name == "on_download" and self._kind == "nothing is told":
            return lambda tensor, then: None
        if name == "on_download" and self._kind == "zeros are told":
            return lambda tensor, then: self._inner.on_download(torch.zeros_like(tensor), then)
        return getattr(self._inner, name)


def renderer(
    swapper: Any = None, *, kind: str = "", faults: Iterable[int] = (), finishes: Sequence[Any] = (), **rest: Any
) -> Callable[[Stamp], GpuRenderer]:
    """For ``play``. Canvases counted in ``faults`` are broken."""
    compositor, broken, count = Compositor("cpu"), frozenset(faults), iter(range(1_000_000))

    def canvas(image: Image) -> Any:
        now = next(count) in broken
        if now and kind == "make":
            raise RuntimeError("CUDA out of memory")
        return FaultyCanvas(compositor.begin(image), kind if now else "")

    swappers = swapper if isinstance(swapper, list) else [swapper or OnDevice()]
    return lambda stamp: GpuRenderer(swappers, canvas=canvas, stamp=stamp, finishes=finishes, **rest)


KINDS = [
    *("view raises", "swap raises", "nothing"),
    *("nan matrix", "singular matrix", "view of elsewhere", "view of no size"),
    *("float crop", "crop shape", "gray crop", "mask dtype", "mask shape"),
    *("zero mask", "faint mask", "target back", "copy of the target", "writes into the target"),
]


@pytest.mark.parametrize(
    ("policy", "moment"), [("blur", "two in a row"), ("hold", "first frame"), ("stop", "mid-stream")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_swapper(kind: str, moment: str, policy: str) -> None:
    count, faults = MOMENTS[moment]
    played = play(ScriptedInput(count), renderer=renderer(OnDevice(kind, faults)), policy=policy)
    assert_survived(played, policy, count, faults)
    if policy == "stop":
        return
    assert all(played.output.swapped[i] == 0 for i in faults) or policy == "hold"
    assert all(played.output.swapped[i] == 1 for i in range(count) if i not in faults)
    assert any("swapping failed" in event for event in played.events)


@pytest.mark.parametrize("kind", ["swap raises", "zero mask", "copy of the target"])
def test_seventy_failures_in_a_row_end_nothing_and_are_told_once(kind: str) -> None:
    count, faults = MOMENTS["seventy in a row"]
    played = play(ScriptedInput(count), renderer=renderer(OnDevice(kind, faults)))
    assert_closed(played)
    assert played.error is None
    assert len(played.output.indices) == count
    assert len([event for event in played.events if "swapping failed" in event]) == 1


@pytest.mark.parametrize(
    ("policy", "moment"), [("blur", "two in a row"), ("hold", "mid-stream"), ("hold", "first frame")]
)
@pytest.mark.parametrize("kind", ["make", "crops", "paste_all", "cover", "deliver", "on_download"])
def test_a_cuda_error_in_the_middle_of_a_frame(kind: str, moment: str, policy: str) -> None:
    """While faces are swapped it leaves them bare, and they are covered; afterwards the frame is covered or held."""
    count, faults = MOMENTS[moment]
    tracker = ScriptedTracker("empty", faults if kind == "cover" else ())
    played = play(ScriptedInput(count), tracker=tracker, renderer=renderer(kind=kind, faults=faults), policy=policy)
    assert_closed(played)
    assert played.error is None
    assert len(played.output.indices) == count


@pytest.mark.parametrize("moment", ["first frame", "mid-stream"])
@pytest.mark.parametrize("kind", STAMPS)
def test_what_was_not_stamped_does_not_leave(kind: str, moment: str) -> None:
    count, faults = MOMENTS[moment]
    played = play(ScriptedInput(count), renderer=renderer(), disclosure=FaultyDisclosure(kind, faults))
    assert_closed(played)
    assert played.error is None
    assert played.output.indices[-1] == count - 1


@pytest.mark.parametrize("tracked", ["coasting", "empty", "exception"])
@pytest.mark.parametrize("policy", [Policy("blur"), Policy(pass_through=True)], ids=str)
def test_frames_without_a_swap_are_stamped_too(tracked: str, policy: Policy) -> None:
    tracker, swapper = ScriptedTracker(tracked, range(12)), OnDevice("swap raises", range(99))
    played = play(ScriptedInput(12), tracker=tracker, renderer=renderer(swapper), policy=policy)
    assert len(played.output.images) == 12
    assert all(is_tagged(image) for image in played.output.images)


@pytest.mark.parametrize("policy", ["blur", "hold"])
@pytest.mark.parametrize("kind", ["nothing is told", "zeros are told"])
def test_what_the_device_does_not_say_is_no(kind: str, policy: str) -> None:
    count, faults = MOMENTS["mid-stream"]
    played = play(ScriptedInput(count), renderer=renderer(kind=kind, faults=faults), policy=policy)
    assert_closed(played)
    assert played.error is None
    assert len(played.output.indices) == count
    assert played.output.swapped[8] == (1 if policy == "hold" else 0)


class GpuFinish:
    """Does ``kind`` in the calls in ``faults``."""

    def __init__(self, kind: str, faults: Iterable[int]) -> None:
        self._kind, self._faults, self._calls = kind, frozenset(faults), -1
        self.forgotten: list[int] = []

    def apply_all(
        self, swapped: SwappedBatch, targets: TargetBatch, quality: Quality, on_download: OnDownload
    ) -> SwappedBatch:
        self._calls += 1
        if self._calls not in self._faults:
            return swapped
        wrong: dict[str, Callable[[], SwappedBatch]] = {
            "raises": self._broken,
            "raises later": lambda: self._later(swapped, on_download),
            "zero mask": lambda: SwappedBatch(swapped.crops, torch.zeros_like(swapped.masks)),
            "target back": lambda: SwappedBatch(targets.crops, swapped.masks),
            "float": lambda: SwappedBatch(swapped.crops.float(), swapped.masks),
            "shape": lambda: SwappedBatch(swapped.crops[:, 1:], swapped.masks),
            "elsewhere": lambda: SwappedBatch(swapped.crops, swapped.masks.to("meta")),
        }
        return wrong[self._kind]()

    def forget(self, track_id: int) -> None:
        self.forgotten.append(track_id)

    def _broken(self) -> SwappedBatch:
        raise RuntimeError("CUDA error")

    def _later(self, swapped: SwappedBatch, on_download: OnDownload) -> SwappedBatch:
        def told(values: Any) -> None:
            raise ValueError("what came was no number")

        on_download(swapped.masks.sum(), told)
        return swapped


@pytest.mark.parametrize("policy", ["blur", "hold"])
@pytest.mark.parametrize(
    "kind", ["raises", "raises later", "zero mask", "target back", "float", "shape", "elsewhere"]
)
def test_finish(kind: str, policy: str) -> None:
    count, faults = MOMENTS["two in a row"]
    finish = GpuFinish(kind, faults)
    played = play(ScriptedInput(count), renderer=renderer(finishes=[finish]), policy=policy)
    assert_closed(played)
    assert played.error is None
    assert len(played.output.indices) == count
    assert all(played.output.swapped[i] == 0 for i in faults) or policy == "hold"
    assert any("swapping failed" in event for event in played.events) == (kind != "zero mask")


def test_who_asks_for_parts_gets_parts() -> None:
    finish = GpuFinish("zero mask", range(12))
    played = play(ScriptedInput(12), renderer=renderer(finishes=[finish], partial=True))
    assert set(played.output.swapped) == {1}


def test_one_face_that_fails_is_covered_while_the_other_is_shown_swapped() -> None:
    class SecondBare(OnDevice):
        def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch:
            found = super().swap_all(targets, quality)
            found.masks[0] = 0
            return found

    played = play(ScriptedInput(20, make=two_people), tracker=TwoTracks(), renderer=renderer(SecondBare()))
    assert played.error is None
    assert played.bare(0) == played.bare(1) == []
    assert set(played.output.swapped) == {1}
    assert all(shows_face(image, 9) for image in played.output.images)


class Sharing(OnDevice):
    """Gives memory that the next one's answer is written to, as networks and graphs do that are shared."""

    def __init__(self, memory: dict[Any, Any], *, put_on: int) -> None:
        super().__init__(put_on=put_on)
        self._memory = memory

    def swap_all(self, targets: TargetBatch, quality: Quality) -> SwappedBatch:
        found = super().swap_all(targets, quality)
        crops, masks = self._memory.setdefault(found.crops.shape, (found.crops.clone(), found.masks.clone()))
        crops.copy_(found.crops)
        masks.copy_(found.masks)
        return SwappedBatch(crops, masks)


def assigned() -> SourceMapping:
    return SourceMapping([Assignment("left", 0), Assignment("right", 1)])


def test_different_people_get_different_faces() -> None:
    memory: dict[Any, Any] = {}
    swappers = [Sharing(memory, put_on=9), Sharing(memory, put_on=7)]
    played = play(
        ScriptedInput(12, make=two_people), tracker=TwoTracks(), renderer=renderer(swappers), mapping=assigned()
    )
    assert_closed(played)
    assert played.error is None
    assert set(played.output.swapped) == {2}
    for image in played.output.images:
        left, right = image[:, :72], image[:, 72:]
        assert [shows_face(part, who) for part in (left, right) for who in (9, 7)] == [True, False, False, True]


@pytest.mark.parametrize("kind", ["swap raises", "nothing", "mask shape", "zero mask", "copy of the target"])
def test_one_of_two_sources_that_fails_leaves_no_face_bare(kind: str) -> None:
    count, faults = MOMENTS["two in a row"]
    swappers = [OnDevice(put_on=9), OnDevice(kind, faults, put_on=7)]
    played = play(
        ScriptedInput(count, make=two_people), tracker=TwoTracks(), renderer=renderer(swappers), mapping=assigned()
    )
    assert_closed(played)
    assert played.bare(1) == []
    assert played.error is None
    assert all(played.output.swapped[index] < 2 for index in faults)
    assert played.output.swapped[-1] == 2


@pytest.mark.parametrize("kind", ["exception", "nan landmarks", "empty", "coasting elsewhere", "duplicates", "leap"])
def test_tracker(kind: str) -> None:
    count, faults = MOMENTS["two in a row"]
    played = play(ScriptedInput(count), tracker=ScriptedTracker(kind, faults), renderer=renderer())
    assert_closed(played)
    assert played.error is None
    assert len(played.output.indices) == count


def test_tracks_that_end_are_forgotten() -> None:
    finish, swapper = GpuFinish("", ()), OnDevice()
    tracker = ScriptedTracker("empty", range(6, 12))
    play(ScriptedInput(12), tracker=tracker, renderer=renderer(swapper, finishes=[finish]))
    assert finish.forgotten == swapper.forgotten == [1]


def test_live_with_several_outputs_nothing_is_torn_or_late() -> None:
    """Pictures in mailboxes and the one that is held keep their pixels while others are made."""
    outputs = [Recorder(), Recorder("slow", range(30))]
    played: Played = play(ScriptedInput(30, live=True), renderer=renderer(), outputs=outputs)
    assert_closed(played)
    assert played.error is None
    for output in outputs:
        assert all(shows_face(image, 9) for image in output.images)
