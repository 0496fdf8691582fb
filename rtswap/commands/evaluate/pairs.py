"""Draw the pairs of source and target, reproducibly for one seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from rtswap.core.errors import InputError, reason
from rtswap.core.files import list_files
from rtswap.vision.images import PICTURE_SUFFIXES

Pair = tuple[Path, Path]
"""Source, target."""


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures in a folder, sorted by name. Raises InputError if there is no folder or picture."""
    try:
        found = sorted(list_files(folder, PICTURE_SUFFIXES))
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}", got=reason(error), do="Check the path.") from None
    if not found:
        raise InputError(f"no picture found in the folder {folder}", do="Put photos of faces into it.")
    return found


def persona_pictures() -> list[Path]:
    """Return the photos of the built-in personas."""
    return pictures_in(Path(str(resources.files("rtswap").joinpath("assets/personas"))))


def pairs(sources: Sequence[Path], targets: Sequence[Path], seed: int) -> Iterator[Pair]:
    """Yield every source with every target but itself, once. Nobody repeats while there are enough photos: with one
    folder, sources come from one end of a random order and targets from the other."""
    rng = np.random.default_rng(seed)
    firsts = [sources[n] for n in rng.permutation(len(sources))]
    shuffled = [targets[n] for n in rng.permutation(len(targets))]
    seconds = firsts[::-1] if set(sources) == set(targets) else shuffled
    common = math.lcm(len(firsts), len(seconds))
    for n in range(len(firsts) * len(seconds)):
        source, target = firsts[n % len(firsts)], seconds[(n + n // common) % len(seconds)]
        if source != target:
            yield source, target


def pairs_of_results(results: Path, sources: Sequence[Path], targets: Sequence[Path], seed: int) -> Iterator[Pair]:
    """Yield the pairs that have a result of another program in ``results``, SOURCE__TARGET.png, in a random order.
    Raises InputError if there is none."""
    of_source, of_target = ({path.stem: path for path in paths} for paths in (sources, targets))
    found = []
    for path in pictures_in(results):
        source, _, target = path.stem.partition("__")
        if source in of_source and target in of_target:
            found.append((of_source[source], of_target[target]))
    if not found:
        raise InputError(
            f"no picture in {results} is named after a source and a target",
            expected="SOURCE__TARGET.png, such as " + f"{sources[0].stem}__{targets[0].stem}.png",
            do="Name the results after their photos.",
        )
    for n in np.random.default_rng(seed).permutation(len(found)):
        yield found[n]
