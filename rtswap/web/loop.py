"""One running swap of the studio: its program, pipeline and session, and what can change while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rtswap.app.config import Config
from rtswap.app.marking import make_badge
from rtswap.app.networks import FaceModels
from rtswap.app.program import Program
from rtswap.core.protocols import AdjustableSwapper, Input, Output, Swapper
from rtswap.core.types import SourceIdentity
from rtswap.runtime.mapping import SourceMapping
from rtswap.runtime.metrics import Metrics

Event = Callable[[str], None]


@dataclass(frozen=True)
class Cast:
    """Who gets which face. ``main``: the source of everybody who was not chosen."""

    main: str
    chosen: Mapping[int, str | None] = field(default_factory=dict)
    """Id of a person in the picture -> their source; None: covered."""

    @property
    def ids(self) -> list[str]:
        """The sources in use, each once, the main one first."""
        return list(dict.fromkeys([self.main, *(id for id in self.chosen.values() if id is not None)]))


class Loop:
    """Run once, in a thread of its own, by ``run``; the other methods come from one thread at a time.

    ``identities``: id of a source -> the analysed source."""

    def __init__(
        self,
        config: Config,
        cast: Cast,
        identities: Callable[[str], SourceIdentity],
        *,
        models: FaceModels,
        spare: FaceModels,
        on_event: Event,
    ) -> None:
        """Load the swapper's networks and bind the sources. ``spare``: models that the caller's thread may use while
        ``models`` swap. Raises RtswapError."""
        self.config, self.cast = config, cast
        self._identities, self._on_event = identities, on_event
        self._models, self._spare = models, spare
        self._ids = cast.ids
        self._program = self._make_program(config, self._ids, {}, None)
        self.metrics = Metrics()

    @property
    def engine(self) -> str:
        """Name of the engine that runs the networks."""
        return self._models.engine

    def begin(self, input: Input, outputs: Sequence[Output]) -> None:
        """Put the session together. It owns ``input`` from now on."""
        self.info = input.info
        self.pipeline = self._program.pipeline(mapping=self._mapping(self.config, self.cast))
        self._session = self._program.session(input, outputs, metrics=self.metrics, pipeline=self.pipeline)

    def run(self) -> None:
        """Swap until the input ends or ``stop`` is called. Raises RtswapError."""
        self._session.run()

    def stop(self) -> None:
        """Stop soon."""
        self._session.stop()

    def add_output(self, output: Output) -> None:
        """Send pictures there, too."""
        self._session.add_output(output)

    def remove_output(self, output: Output) -> None:
        """Finish and close an output."""
        self._session.remove_output(output)

    def change(self, config: Config) -> None:
        """Use other settings from the next frame on; followed people are kept. Takes up to a second in the
        caller's thread. If it raises, nothing has changed. Raises RtswapError."""
        before = self.config
        if not self._adjust(config) and (before.swap, before.mask, before.models) != (
            config.swap,
            config.mask,
            config.models,
        ):
            self._use(config, self._ids)
        self._program.config = config
        if before.safety != config.safety or before.tracking.faces != config.tracking.faces:
            self.pipeline.use(mapping=self._mapping(config, self.cast), policy=self._program.policy)
        if before.badge != config.badge:
            with self.pipeline.lock:
                self._program.disclosure.stamp.use(make_badge(config))
        self.config = config

    def recast(self, cast: Cast) -> None:
        """Give faces to other people, from the next frame on. Raises RtswapError, with nothing changed."""
        if any(id not in self._ids for id in cast.ids):
            self._use(self.config, cast.ids, cast)
        else:
            with self.pipeline.lock:
                self._assign(self.pipeline.mapping, cast)
        self.cast = cast

    def forget(self, id: str) -> None:
        """Drop a source that is no longer in use."""
        if id in self._ids and id not in self.cast.ids:
            self._use(self.config, self.cast.ids, self.cast)

    def people(self, size: tuple[int, int]) -> list[dict[str, Any]]:
        """The people who are followed: id, box as shares of the picture's ``size`` (width, height), and source."""
        found = []
        for track, source in self.pipeline.people:
            box = [round(float(value) / side, 4) for value, side in zip(track.box, size * 2, strict=True)]
            id = None if source is None or source >= len(self._ids) else self._ids[source]
            found.append({"id": track.id, "box": box, "source": id, "chosen": track.id in self.cast.chosen})
        return found

    def _adjust(self, config: Config) -> bool:
        """Change expression and strength alone in the swappers as they are. False if something else differs, or they
        cannot change."""
        before, swap = self.config, config.swap
        only = replace(before.swap, expression=swap.expression, strength=swap.strength)
        swappers = [one for one in self._program.swappers if isinstance(one, AdjustableSwapper)]
        same = (before.mask, before.models, only) == (config.mask, config.models, swap)
        if not same or before.swap == swap or len(swappers) < len(self._program.swappers):
            return False
        changes = [one.adjust(expression=swap.expression, strength=swap.strength) for one in swappers]
        with self.pipeline.lock:
            for apply in changes:
                apply()
        return True

    def _use(self, config: Config, ids: Sequence[str], cast: Cast | None = None) -> None:
        """Swap with a new program, which keeps what stays the same of the old one."""
        old = self._program
        same = _settings_of_binding(config) == _settings_of_binding(old.config)
        bound = dict(zip(self._ids, old.swappers, strict=True)) if same else {}
        if not old.on_gpu:
            bound |= self._bind_aside(config, [id for id in ids if id not in bound])
        with self.pipeline.lock:  # other swappers look at sources with networks that run in the loop
            program = self._make_program(config, ids, bound, old)
            renderer = program.renderer(live=True)
            before, self._ids = self._ids, list(ids)
            mapping = None if cast is None and before == self._ids else self._mapping(config, cast or self.cast)
            self.pipeline.use(renderer, mapping)
        self._program = program

    def _bind_aside(self, config: Config, ids: Sequence[str]) -> dict[str, Swapper]:
        """Bind these sources while the loop goes on, if their swappers need no network when they run."""
        aside = Program(config, on_event=self._on_event, models=self._spare, sources=())
        if aside.spec is None or aside.spec.networks:
            return {}
        return {id: aside.bind(self._identities(id)) for id in ids}

    def _make_program(
        self, config: Config, ids: Sequence[str], bound: Mapping[str, Any], old: Program | None
    ) -> Program:
        program = Program(
            config,
            on_event=self._on_event,
            models=self._models,
            sources=[self._identities(id) for id in ids],
            disclosure=old.disclosure if old is not None else None,
        )
        pairs = zip(ids, program.identities, strict=True)
        program.swappers = [bound.get(id) or program.bind(identity) for id, identity in pairs]
        return program

    def _mapping(self, config: Config, cast: Cast) -> SourceMapping:
        mapping = SourceMapping(
            everyone=config.tracking.faces == "all",
            choosing=True,
            others_shown=config.safety.others == "show",
            recogniser=self._models.recogniser,
            on_event=self._on_event,
        )
        self._assign(mapping, cast)
        return mapping

    def _assign(self, mapping: SourceMapping, cast: Cast) -> None:
        mapping.select(self._ids.index(cast.main))
        for person in set(mapping.chosen) - set(cast.chosen):
            mapping.leave(person)
        for person, id in cast.chosen.items():
            source = None if id is None else self._ids.index(id)
            if person not in mapping.chosen or mapping.chosen[person] != source:
                mapping.choose(person, source)


def _settings_of_binding(config: Config) -> tuple[Any, ...]:
    """The settings that a swapper is bound with; the others concern only what comes after it."""
    return replace(config.swap, detail="match", blend="alpha"), config.mask.masks, config.models
