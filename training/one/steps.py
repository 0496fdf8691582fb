"""Steps one after the other: drawn, damaged, taught, averaged. On CUDA both sides' steps are replayed from graphs:
a step is some thousand small kernels, which Python would hand out ten times slower than the card works them off."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rtswap.gpu.capture import capture
from training.one.batches import augmented
from training.one.pool import Pool
from training.one.run import Run, Seen
from training.one.watchers import Watchers
from training.under_way import average, learning_rate, share_averaged

QUEUED = 8
"""Steps that may be under way on the device."""
Terms = dict[str, Tensor]


class Steps:
    """``true``, ``cross``: pairs per batch with a truth and without. ``half``: convolutions in bfloat16."""

    def __init__(
        self, run: Run, pool: Pool, watchers: Watchers, people: Tensor, *, true: int, cross: int, half: bool
    ) -> None:
        self.run, self._pool, self._watchers, self._people = run, pool, watchers, people
        self._true, self._cross, self._half = true, cross, half
        self._seen: Seen | None = None
        self._sums: Terms = {}
        self._counts: dict[str, int] = {}
        on_gpu = run.device == "cuda"
        self._generator = Replayed(self._teach) if on_gpu else self._teach
        self._critic = Replayed(self._teach_critic) if on_gpu else self._teach_critic

    def step(self, share: float) -> None:
        """One step, ``share`` of the way."""
        run, progress = self.run, self.run.progress
        run.pace(share, learning_rate(share, progress.step, run.peak))
        self._note(self._generator())
        average(run.shadow, run.one, progress.step, share_averaged(share, progress.step))
        if run.teaches_critic(share):
            self._note(self._critic())
        progress.step += 1
        progress.samples += self._true + self._cross
        if run.device == "cuda" and progress.step % QUEUED == 0:
            torch.cuda.synchronize()

    def taken(self) -> dict[str, float]:
        """The mean of every loss term since the last call."""
        means = {name: float(value) / self._counts[name] for name, value in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def _note(self, terms: Terms) -> None:
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach()
            self._counts[name] = self._counts.get(name, 0) + 1

    def _teach(self) -> Terms:
        batch = augmented(self._pool.drawn(self._true, self._cross))
        terms, self._seen = self.run.teach(batch, self._true, self._watchers, self._people, self._half)
        return terms

    def _teach_critic(self) -> Terms:
        assert self._seen is not None  # the generator's step comes first
        return self.run.teach_critic(self._seen, self._half)


class Replayed:
    """``work`` as a CUDA graph, captured at the first call. Where it cannot be captured it goes on as it is, and says
    so."""

    def __init__(self, work: Callable[[], Terms]) -> None:
        self._work = work
        self._graph: torch.cuda.CUDAGraph | None = None
        self._terms: Terms = {}
        self._failed = False

    def __call__(self) -> Terms:
        if self._graph is None and not self._failed:
            self._capture()
        if self._graph is None:
            return self._work()
        self._graph.replay()
        return self._terms

    def _capture(self) -> None:
        try:
            self._graph, terms = capture(torch, torch.cuda.Stream(), self._work)
            self._terms = {name: value.detach() for name, value in terms.items()}
        except RuntimeError as error:
            self._failed = True
            print(f"not captured, so slower: {str(error).splitlines()[0]}", flush=True)
