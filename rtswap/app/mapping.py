"""Parse ``--swap PERSON=SOURCE`` and create the mapping of people to sources."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels
from rtswap.core.errors import ConfigError
from rtswap.core.text import suggestion
from rtswap.core.urls import expanded, trimmed
from rtswap.runtime.mapping import LOOKS, PLACES, Assignment, Example, Person, SourceMapping
from rtswap.source import load_source
from rtswap.source.personas import is_persona
from rtswap.tracking.tracker import HOLD_S
from rtswap.vision.images import read_photo

MOST_PEOPLE = 16
"""The tracker's limit."""
PLACE_HOLD_S = 2.0
"""Seconds for which an absent person keeps their source with ``--follow place``."""


class SwapRule(NamedTuple):
    """One ``--swap``."""

    person: str
    """left, right, largest, a number, or an example photo."""
    source: str
    """A photo, a folder or a persona."""

    @property
    def is_example(self) -> bool:
        return self.person not in PLACES and not self.person.isdecimal()

    def __str__(self) -> str:
        return f"--swap {self.person}={self.source}"


def read_swap_rules(config: Config) -> list[SwapRule]:
    """Parse and check every ``--swap``. Raises ConfigError for an unknown person and for one that is named twice."""
    rules = []
    for text in config.source.swap:
        person, _, source = text.partition("=")
        rules.append(SwapRule(trimmed(person), trimmed(source)))
    for number, rule in enumerate(rules):
        _check_person(rule, config)
        if rule.person in [earlier.person for earlier in rules[:number]]:
            raise ConfigError(f"{rule.person} has two sources", got=str(rule), do="Keep one of them.")
    return rules


def photos_of_sources(config: Config) -> list[tuple[str, ...]]:
    """Return the photos of each source: the main one, if any, and those of ``--also``, which the keys select; then
    the additional ones of ``--swap``."""
    rules = [(rule.source,) for rule in read_swap_rules(config)]
    menu = [config.source.photos, *((also,) for also in config.source.also)]
    if rules and not config.source.photos:
        menu = menu[1:]
    return [*menu, *dict.fromkeys(photos for photos in rules if photos not in menu)]


def make_mapping(
    config: Config, models: FaceModels, *, on_event: Callable[[str], None], photos: bool = False
) -> SourceMapping:
    """Create the mapping. ``photos``: every frame is a separate picture. Raises ConfigError, and SourceError for an
    example photo without a face."""
    groups, rules = photos_of_sources(config), read_swap_rules(config)
    everyone = config.tracking.faces == "all"
    return SourceMapping(
        [Assignment(_person(rule, models, on_event), groups.index((rule.source,))) for rule in rules],
        choices=bool(config.source.photos) + len(config.source.also),
        spread=everyone and not rules,
        everyone=everyone,
        others_shown=config.safety.others == "show",
        recogniser=models.recogniser,
        looks=1 if photos else LOOKS,
        hold_s=HOLD_S if models.recogniser is not None else PLACE_HOLD_S,
        on_event=on_event,
    )


def _check_person(rule: SwapRule, config: Config) -> None:
    person = rule.person
    if person in PLACES:
        return
    expected = f"{', '.join(PLACES)}, a number from 1 (leftmost) to {MOST_PEOPLE}, or an example photo"
    if person.isdecimal():
        if len(person) > 9 or not 1 <= int(person) <= MOST_PEOPLE:
            raise ConfigError(f"{rule}: no person {person}", expected=expected, got=person)
    elif not is_persona(person) and not os.path.exists(expanded(person)):
        raise ConfigError(
            f"{rule}: unknown person",
            expected=expected,
            got=repr(person),
            do=suggestion(person, PLACES, "Check the path."),
        )
    elif config.tracking.follow == "place":
        raise ConfigError(
            f"{rule}: an example photo needs face recognition, which --follow place turns off",
            do="Remove --follow place, or name the person by left, right, largest or a number.",
        )


def _person(rule: SwapRule, models: FaceModels, on_event: Callable[[str], None]) -> Person:
    if rule.person in PLACES:
        return rule.person
    if rule.person.isdecimal():
        return int(rule.person)
    assert models.recogniser is not None  # checked by _check_person
    found = load_source(
        [expanded(rule.person)],
        detector=models.photo_detector,
        landmarks=models.landmarks,
        on_event=on_event,
        read=read_photo,
    )
    views = [(found.portrait, found.landmarks), *((one.image, one.landmarks) for one in found.further)]
    return Example(tuple(models.recogniser.embed(image, landmarks) for image, landmarks in views))
