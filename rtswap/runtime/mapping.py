"""Which person gets which source: the people of a frame, each with the number of their source.

An assignment names a person once (``left``, the second from the left, a face to recognise) and keeps to them from
then on, even when people cross: it goes by the tracker's ids, which return with the person.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtswap.core.protocols import Embedder
from rtswap.core.text import plural
from rtswap.core.types import Image, Mesh, Tensor, Track
from rtswap.networks.recognition import LEARN_EVERY_S, LOOK_EVERY_S, SAME, tells_who
from rtswap.tracking.tracker import HOLD_S

PLACES = ("left", "right", "largest")
LOOKS = 3
"""Number of comparisons, ``LEARN_EVERY_S`` apart, after which a person who matches none of the examples is a
stranger."""
FEW, MANY = 4, 256
"""Maximum number of people that one assignment remembers, and that are compared: streams last for days."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A face to recognise."""

    vectors: tuple[Tensor, ...]
    """(D,) of unit length each: the recogniser's vectors of one or more photos."""

    def alike(self, vector: Tensor) -> float:
        """Cosine to the most similar of them."""
        return max(float(own @ vector) for own in self.vectors)


Person = str | int | Example | None
"""One of ``PLACES``; a number, counted from left to right at the start, and on as others come; an example; or None,
somebody who was chosen by the id of their track."""


Role = tuple[Track, int | None]
"""A person in a frame and the number of their source; None: the person is to be covered."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """A person and the number of the source they get."""

    person: Person
    source: int | None


class SourceMapping:
    """One per session, used by one thread but for ``select``; ``choose`` between two frames.

    ``assignments``: earlier ones choose first, examples before all others. Whoever has none gets the main source:
    everybody (``everyone``), or one more person, the largest; others are covered, or left out (``others_shown``).
    ``choices``: how many sources ``select`` has; with none there is no main source. ``spread``: until ``select`` is
    called, people without an assignment get these sources one after the other, from left to right and as they come;
    if there are too few, they repeat, and ``on_event`` says so.
    ``choosing``: people may be chosen by ``choose``, so that all must be followed. ``looks``: as ``LOOKS``.
    ``hold_s``: for so long a person's place is kept; then somebody who has come since may have it, and gives way
    when the person is back."""

    def __init__(
        self,
        assignments: Sequence[Assignment] = (),
        *,
        choices: int = 1,
        spread: bool = False,
        everyone: bool = True,
        others_shown: bool = False,
        choosing: bool = False,
        recogniser: Embedder | None = None,
        looks: int = LOOKS,
        hold_s: float = HOLD_S,
        on_event: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.choices, self.spread = choices, spread and choices > 1
        self._spreading = self.spread
        self._on_event = on_event
        self._told_of_repeats = False
        self._main = 0 if choices else None
        self._assignments, self.everyone = tuple(assignments), everyone
        self._others_shown, self._choosing = others_shown, choosing
        self._claims: list[_Claim] = []
        self._chosen: dict[int, int | None] = {}
        """Id of a track -> the source that was chosen for it."""
        self._recogniser, self._looks, self._hold_s = recogniser, looks, hold_s
        self._met: set[Assignment] = set()
        self._shape: tuple[int, ...] = ()
        self.reset()

    @property
    def assigned(self) -> bool:
        """Whether some people get a source of their own, so that all people must be tracked."""
        return self._choosing or bool(self._assignments)

    @property
    def chosen(self) -> Mapping[int, int | None]:
        """Id of a track -> the source that was chosen for it; None: covered."""
        return self._chosen

    @property
    def unmet(self) -> list[int]:
        """The numbers of the assignments that have not matched anybody yet."""
        return [number for number, one in enumerate(self._assignments) if one not in self._met]

    def select(self, source: int | None) -> None:
        """Make ``source`` the main one from the next frame on; None: spread the sources again."""
        self._spreading = self.spread and source is None
        self._main = source if source is not None else self._main

    def choose(self, person: int, source: int | None) -> None:
        """Give ``source`` to the person of this track from the next frame on, also when they come back; None:
        they are covered."""
        self.leave(person)
        while len(self._chosen) >= MANY:
            self.leave(next(iter(self._chosen)))
        self._chosen[person] = source
        self._hold(person, source)

    def leave(self, person: int) -> None:
        """Undo ``choose`` for this person."""
        if person in self._chosen:
            del self._chosen[person]
            self._claims = [one for one in self._claims if one.assignment.person or person not in one.people]

    def _hold(self, person: int, source: int | None) -> None:
        claim = _Claim(Assignment(None, source))
        self._claims.append(claim)
        self._give(claim, person, 0.0)

    def reset(self) -> None:
        """Assign people to sources anew; explicit choices stay."""
        self._claims = [_Claim(one) for one in self._assignments]
        self._rest = _Claim(Assignment("largest", None))
        self._newest = self._counted = 0
        self._numbers: dict[int, int] = {}
        """Id of a track -> its number from left to right, for the tracks that have one."""
        self._looked: dict[int, tuple[int, float]] = {}
        """Id of a track -> number of comparisons, and time of the last one."""
        for person, source in self._chosen.items():
            self._hold(person, source)

    def assign(self, image: Image, tracks: Sequence[Track], now_s: float) -> list[Role]:
        """Return the people of a frame to swap or to cover; anybody left out is shown unchanged. ``image``: the frame
        as it came. Errors of the recogniser are passed on."""
        if not self._claims and not self._spreading and (self.everyone or not self._choosing):
            return [(track, self._main) for track in tracks]
        if image.shape != self._shape:
            self._shape = image.shape
            self.reset()
        here = sorted((track for track in tracks if track.measured and np.isfinite(track.box).all()), key=_middle)
        present = {track.id for track in tracks}
        self._count(here, present)
        for claim in (*self._claims, self._rest):
            claim.see(present, now_s, self._newest)
        self._recognise(image, here, present, now_s)
        for claim in self._claims:
            self._place(claim, here, present, now_s)
        if not self.everyone and self._main is not None:
            self._place(self._rest, here, present, now_s)
        return self._roles(tracks, present)

    def _count(self, here: Sequence[Track], present: Collection[int]) -> None:
        """Number new people."""
        most = max((one.person for one in self._assignments if isinstance(one.person, int)), default=0)
        if len(self._numbers) > MANY and self.spread:
            self._numbers = {person: number for person, number in self._numbers.items() if person in present}
        for track in here:
            self._newest = max(self._newest, track.id)
            if track.id not in self._numbers and (self.spread or self._counted < most):
                self._counted += 1
                self._numbers[track.id] = self._counted
        if self._spreading and not self._told_of_repeats and len(here) > self.choices:
            self._told_of_repeats = True
            people, sources = plural(len(here), "face"), plural(self.choices, "source")
            self._on_event(f"{people}, but {sources}: the sources repeat. --swap chooses who gets which")

    def _main_for(self, track: Track) -> int | None:
        """Return the source of a person without an assignment."""
        if not self._spreading:
            return self._main
        number = self._numbers.get(track.id)
        return None if number is None else (number - 1) % self.choices

    def _roles(self, tracks: Sequence[Track], present: Collection[int]) -> list[Role]:
        sources = {claim.holder(present): claim.assignment.source for claim in self._claims}
        rest = self._rest.holder(present)
        searching = bool(self._search(present))
        roles: list[Role] = []
        for track in tracks:
            if track.id in sources:
                roles.append((track, sources[track.id]))
            elif searching and self._looked.get(track.id, (0, 0.0))[0] < self._looks:
                roles.append((track, None))  # who this is has yet to be seen
            elif self.everyone or track.id == rest:
                roles.append((track, self._main_for(track)))
            elif not self._others_shown:
                roles.append((track, None))
        return roles

    def _search(self, present: Collection[int]) -> list[tuple[_Claim, Example]]:
        """Return the examples that are not known to be in the picture."""
        return [
            (claim, claim.assignment.person)
            for claim in self._claims
            if isinstance(claim.assignment.person, Example) and claim.holder(present) is None
        ]

    def _recognise(self, image: Image, here: Sequence[Track], present: Collection[int], now_s: float) -> None:
        """Compare unknown faces with the examples, the most similar first; each example finds one person."""
        searched = self._search(present)
        if not searched or self._recogniser is None:
            return
        if len(self._looked) > MANY:
            self._looked = {person: look for person, look in self._looked.items() if person in present}
        known = {claim.holder(present) for claim in self._claims if isinstance(claim.assignment.person, Example)}
        found: list[tuple[float, _Claim, int]] = []
        for track in here:
            if track.id in known or not self._due(track, now_s):
                continue
            vector = self._recogniser.embed(image, track.landmarks)
            self._looked[track.id] = self._looked.get(track.id, (0, 0.0))[0] + 1, now_s
            found += [(example.alike(vector), claim, track.id) for claim, example in searched]
        for alike, claim, person in sorted(found, key=lambda one: -one[0]):
            if alike >= SAME and claim.holder(present) is None and person not in known:
                known.add(person)
                self._give(claim, person, now_s)

    def _due(self, track: Track, now_s: float) -> bool:
        """Whether this face is due for a comparison, and is turned so that one is meaningful."""
        looks, looked_s = self._looked.get(track.id, (0, -np.inf))
        every = LEARN_EVERY_S if looks < self._looks else LOOK_EVERY_S
        return not 0 <= now_s - looked_s < every and tells_who(Mesh(track.landmarks, track.visibility, 1.0))

    def _place(self, claim: _Claim, here: Sequence[Track], present: Collection[int], now_s: float) -> None:
        """Find the person of a claim by place. ``here``: from left to right."""
        person = claim.assignment.person
        if person is None or isinstance(person, Example) or not claim.open(present, now_s, self._hold_s):
            return
        taken = {one for other in (*self._claims, self._rest) for one in other.people}
        free = [track for track in here if track.id not in taken]
        if claim.people and claim is not self._rest:
            free = [track for track in free if track.id > claim.newest]
        elif isinstance(person, int):
            free = [track for track in free if self._numbers.get(track.id) == person]
        if not free or (len(free) == 1 and self._is_for_the_other(person, free[0], present, now_s)):
            return
        chosen = max(free, key=_area) if person == "largest" else free[-1 if person == "right" else 0]
        self._give(claim, chosen.id, now_s)

    def _is_for_the_other(self, person: Person, alone: Track, present: Collection[int], now_s: float) -> bool:
        """Whether the only unassigned person is in the other half of the picture, while ``right`` (or ``left``) waits
        for a person, too."""
        other = {"left": "right", "right": "left"}.get(str(person))
        waits = any(one.assignment.person == other and one.open(present, now_s, self._hold_s) for one in self._claims)
        return waits and (_middle(alone) > self._shape[1] / 2) == (person == "left")

    def _give(self, claim: _Claim, person: int, now_s: float) -> None:
        for other in (*self._claims, self._rest):
            if person in other.people:
                other.people.remove(person)
        claim.people = [*claim.people[:FEW], person]
        claim.see({person}, now_s, self._newest)
        self._met.add(claim.assignment)


class _Claim:
    """An assignment and the people who match it."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.people: list[int] = []
        """Ids of tracks, the best match first."""
        self.newest = 0
        """Time at which the newest id was last in the picture."""
        self._seen_s = 0.0

    def holder(self, present: Collection[int]) -> int | None:
        return next((person for person in self.people if person in present), None)

    def open(self, present: Collection[int], now_s: float, hold_s: float) -> bool:
        """Whether another person may match it."""
        return self.holder(present) is None and (not self.people or now_s - self._seen_s > hold_s)

    def see(self, present: Collection[int], now_s: float, newest: int) -> None:
        if self.holder(present) is not None:
            self._seen_s, self.newest = now_s, newest


def _middle(track: Track) -> float:
    """x of the middle of its box."""
    return float(track.box[0] + track.box[2]) / 2


def _area(track: Track) -> float:
    return float(np.prod(track.box[2:] - track.box[:2]))
