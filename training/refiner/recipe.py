"""Train the refiner, which mends what the swapper ``mesh`` leaves behind.

    python -m training.refiner --minutes 80 --faces DIR --teacher FILE --out DIR

Stops after the given minutes of training, counted over all runs; run it again to go on from the last checkpoint.
Pairs are made by ``--makers`` processes before and while it trains; training begins with ``--least`` files of them.
``--cache``: the folder with the labels and views of ``training.landmarks``, made there where they are missing.
``--begin-from``: the folder of exported networks, say rtswap/assets. ``--recognition``, ``--landmarks``: the networks
that watch; those that ship where they are not given.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from rtswap.gpu.capture import capture
from rtswap.training.onnx_files import load_weights
from rtswap.training.recipe import Moment, Recipe, Terms, descend, weighted
from rtswap.training.shards import making
from training.landmarks.teacher import load_people
from training.landmarks.views import build
from training.refiner import losses
from training.refiner.augment import augmented
from training.refiner.losses import WEIGHTS, refined
from training.refiner.network import SIZE, Critic, DeployedEncoder, DeployedGenerator, FineGenerator, Refiner
from training.refiner.pairs import SHARD, load, prepare
from training.refiner.pool import Arriving, Batch, Pool
from training.refiner.watchers import Trial, Watchers


class Replay:
    """``work`` as a CUDA graph, captured at the first call. Where it cannot be captured it is called each time, and a
    line says so."""

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


ASSETS = Path(__file__).parents[2] / "rtswap" / "assets"
RISING = 0.2
"""Share of the time over which the critic's voice rises, and for half of which it is taught before it is heard."""
CRITIC_RATE, CRITIC_EVERY = 2e-4, 2
QUEUED = 8
"""Steps that may be under way on the device."""


@dataclass(frozen=True)
class Shown:
    """What the critic is to see: N pictures (N, 3, S, S) and where they count (N, 1, S, S)."""

    fake: Tensor
    real: Tensor
    where: Tensor


class RefinerRecipe(Recipe):
    """Nothing in a step waits for the device or depends on numbers of the host, so that CUDA can replay it."""

    name, default_rate, threads, batch = "refiner", 5e-4, 2, 0
    weights = WEIGHTS
    network: Refiner
    shadow: Refiner

    def __init__(self, args: argparse.Namespace, people: Tensor, others: Tensor) -> None:
        """``people``, ``others``: (P, 128) whose face is whose, of those who are taught and of those kept out."""
        super().__init__(Refiner(args.size), args)
        self.name = f"refiner-{args.size}"
        self.batch_size = (args.true + args.cross) * args.workers
        self.critic = Critic().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._critic_optimiser = torch.optim.Adam(
            self.critic.parameters(), CRITIC_RATE, betas=(0.0, 0.99), capturable=self.device == "cuda"
        )
        self._heard = torch.zeros((), device=self.device)
        """How loud the critic is, 0..1."""
        self._asks_critic = True
        self._watchers = Watchers(args.recognition, args.landmarks, self.device)
        self._people, self._others = people, others
        self._pool = Pool(min(args.most, args.shards * SHARD), self.device)
        self._batches: Iterator[Batch] = iter(())
        self._shown: Shown | None = None
        self._begin_steps()

    @classmethod
    def parser(cls) -> argparse.ArgumentParser:
        parser = super().parser()
        add = parser.add_argument
        add("--teacher", type=Path, required=True, help="facemesh.onnx")
        add("--recognition", type=Path, default=ASSETS / "recognition.onnx")
        add("--landmarks", type=Path, default=ASSETS / "landmarks.onnx")
        add("--cache", type=Path, help="labels and views; default: --out")
        add("--workers", type=int, default=1, help="processes that share each step")
        add("--size", type=int, choices=(128, 256), default=128, help="256: the finer level of refiner-256 alone")
        add("--true", type=int, default=24, help="pairs with a truth per batch")
        add("--cross", type=int, default=8, help="pairs of two people's photos, without one, per batch")
        add("--watched", type=int, default=1, help="show the recogniser one in so many pairs of a batch")
        add("--settled", type=float, default=0.45, help="share of the time without the critic; above 1: never")
        add("--makers", type=int, default=2, help="processes that make pairs")
        add("--shards", type=int, default=48, help="files of 160 pairs to make")
        add("--least", type=int, default=48, help="files to begin with")
        add("--most", type=int, default=100_000, help="pairs on the device; each takes 0.3 MB, of 256 px 1.1 MB")
        return parser

    @classmethod
    @contextmanager
    def data(cls, args: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
        cache = args.cache or args.out
        labels, known, kept_out = load_people(args.faces, args.teacher, cache / "labels.npz")
        taught = build(args.faces, labels, known, 6, cache / "views-train")
        others = build(args.faces, labels, kept_out, 3, cache / "views-validation")
        train, hard, trial = (args.out / f"pairs-{name}" for name in ("train", "hard", "validation"))
        made = partial(prepare, size=args.size)
        jobs = [
            partial(made, others, hard, [0], 9, count=96, hard=True),
            partial(made, others, trial, [0], 8, count=240),
            *(partial(made, taught, train, range(k, args.shards, args.makers), 1) for k in range(args.makers)),
        ]
        with making(jobs, {train: min(args.least, args.shards), hard: 1, trial: 1}):
            watchers = Watchers(args.recognition, args.landmarks, args.device)
            yield watchers.people(taught), watchers.people(others)

    @classmethod
    def processes(cls, args: argparse.Namespace) -> int:
        return args.workers

    @property
    def networks(self) -> dict[str, nn.Module]:
        return {**super().networks, "critic": self.critic}

    @property
    def parts(self) -> dict[str, Any]:
        return {**super().parts, "critic_optimiser": self._critic_optimiser}

    def make_optimiser(self) -> torch.optim.Optimizer:
        on_gpu = self.device == "cuda"
        self._rate_now = torch.tensor(self.rate, device=self.device)
        """On the device, where a replayed step reads it."""
        return torch.optim.AdamW(
            [part for part in self.network.parameters() if part.requires_grad],
            self._rate_now,
            betas=(0.9, 0.99),
            weight_decay=self.weight_decay,
            capturable=on_gpu,
            foreach=on_gpu,
        )

    def _begin_steps(self) -> None:
        """Let CUDA capture both sides' steps anew."""
        on_gpu = self.device == "cuda"
        self._generator_step = Replay(self._teach_generator) if on_gpu else self._teach_generator
        self._critic_step = Replay(self._teach_critic) if on_gpu else self._teach_critic

    def load(self, state: dict[str, Any]) -> None:
        """Also where the checkpoint comes from another device."""
        super().load(state)
        for optimiser in (self.optimiser, self._critic_optimiser):
            for group in optimiser.param_groups:
                group["capturable"] = self.device == "cuda"
        for group in self.optimiser.param_groups:
            group |= {"lr": self._rate_now, "foreach": self.device == "cuda"}
        self._begin_steps()

    def begin_from(self, network: nn.Module, path: Path) -> None:
        """``path``: the folder into which networks were exported."""
        whole, generator = Refiner(), network.generator
        load_weights(path / "refiner-128.onnx", DeployedGenerator(whole.generator))
        load_weights(path / "refiner-128-source.onnx", DeployedEncoder(whole.encoder))
        network.encoder.load_state_dict(whole.encoder.state_dict())
        coarse = generator.coarse if isinstance(generator, FineGenerator) else generator
        coarse.load_state_dict(whole.generator.state_dict())
        if network.size != SIZE and (path / f"refiner-{network.size}.onnx").exists():
            load_weights(path / f"refiner-{network.size}.onnx", DeployedGenerator(generator))

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        return batch.given

    def prepare(self, batches: Iterator[Batch]) -> None:
        folder, size = self.args.begin_from, self.args.size
        if folder is None or (folder / f"refiner-{size}.onnx").exists():
            super().prepare(batches)  # otherwise the finer level has seen nothing yet: there is nothing to settle

    @contextmanager
    def batches(self, seed: int) -> Iterator[Iterator[Batch]]:
        args = self.args
        arriving = Arriving(args.out / "pairs-train", self._pool)
        arriving.take()
        with arriving.taking():
            yield (augmented(self._pool.draw(args.true, args.cross)) for _ in repeat(None))

    def step(self, batches: Iterator[Batch], moment: Moment) -> Terms:
        self._rate_now.fill_(moment.rate)
        loud = min(max((moment.share - self.args.settled) / RISING, 0.0), 1.0)
        self._heard.fill_(loud)
        self._asks_critic = loud > 0 or self.device == "cuda"
        self._batches = batches
        terms = self._generator_step()
        if moment.share > self.args.settled - RISING / 2 and moment.step % CRITIC_EVERY == 0:
            terms = {**terms, **self._critic_step()}
        if self.device == "cuda" and moment.step % QUEUED == QUEUED - 1:
            torch.cuda.synchronize()
        return terms

    def losses(self, batch: Batch) -> Terms:
        """Terms of the generator; of the first ``--true`` pairs the truth is known."""
        with self.autocast():
            output = refined(batch, self.network(*batch.given))
        first, rest = slice(self.args.true), slice(self.args.true, None)
        terms = losses.true_terms(output.part(first), batch.part(first))
        terms |= losses.cross_terms(output.part(rest), batch.part(rest)) | losses.kept_term(output, batch)
        self._shown = Shown(output.picture.detach(), batch.truth, batch.mask * batch.visible)
        with self.autocast():
            some = slice(None, None, self.args.watched)  # of both kinds: they are drawn in a random order
            terms |= self._watchers.identity(output.picture[some], batch.part(some), self._people)
            terms |= self._watchers.landmarks(output.picture[rest], batch.part(rest))
            if self._asks_critic:
                self.critic.requires_grad_(False)
                terms["fooled"] = self._heard * losses.generator_hinge(self.critic, output.picture, self._shown.where)
                self.critic.requires_grad_(True)
        return terms

    def _teach_generator(self) -> Terms:
        terms = self.losses(next(self._batches))
        descend(weighted(terms, self.weights), self.network, self.optimiser, self.most_norm)
        return terms

    def _teach_critic(self) -> Terms:
        assert self._shown is not None  # the generator's step comes first
        shown = self._shown
        with self.autocast():
            hinge = losses.critic_hinge(self.critic, shown.fake, shown.real, shown.where)
        penalty = losses.R1 / 2 * losses.gradient_penalty(self.critic, shown.real[: losses.R1_COUNT])
        descend(hinge + penalty, self.critic, self._critic_optimiser, None)
        return {"told_apart": hinge}

    def trial(self, picture: Path) -> dict[str, float]:
        hard, pairs = (load(self.args.out / f"pairs-{name}") for name in ("hard", "validation"))
        trial = Trial(Pool.of(pairs, self.device), hard, self._watchers, self._others)
        cv2.imwrite(str(picture), trial.picture(self.shadow))
        return trial.figures(self.shadow)

    def status(self) -> str:
        return f" of {self._pool.count} pairs"


RECIPE = RefinerRecipe
