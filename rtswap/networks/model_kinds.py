"""Tell what a foreign file is: by its hash, by its inputs and outputs, and where these fit several, by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rtswap.core.errors import ModelError
from rtswap.core.text import as_argument, suggestion
from rtswap.networks.model_catalog import Family, KnownModel, ModelCatalog
from rtswap.networks.model_file import Port, Signature

YUNET = tuple(f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32))
"""YuNet's outputs."""
SIDES = range(32, 2049)
"""Of the square pictures of a family that has several: GPEN's largest are 2048 px. One of 8192 px takes 30 s."""
PRIORS = (4, 2, 10)
"""Last sides of RetinaFace's outputs: box, score, keypoints."""


class Recognised(NamedTuple):
    """What a file is."""

    family: Family
    """The family, with the changes of the known model."""
    known: KnownModel | None
    """The published model; None for an unpublished file, such as a user's DFM."""
    published: bool
    """Whether the hash is that of a published build."""


def recognise(path: Path, sha256: str, signature: Signature, catalog: ModelCatalog, name: str = "") -> Recognised:
    """Recognise a file. ``name``: the user's word for it, a family or a known model. Raises ModelError for a file
    that fits nothing, or several things."""
    model = catalog.by_hash(sha256)
    if model is not None:
        return Recognised(catalog.family_of(model.family, model.name), model, True)
    fitting = [family for family in catalog.families.values() if fits(family, signature)]
    if not fitting:
        raise ModelError(
            f"{path.name} is not a model that rtswap can use",
            expected=f"one of {', '.join(catalog.families)}",
            got=str(signature),
            do="docs/models.md lists the inputs and outputs of each.",
        )
    fitting = [family for family in fitting if family.emap] or fitting
    if name:
        return _name(path, name, fitting, signature, catalog)
    word = plain(path.stem)
    for model in sorted(catalog.models.values(), key=lambda one: -len(one.name)):
        words = {plain(one) for one in (model.name, *model.names)}
        if word in words and any(family.name == model.family for family in fitting):
            return Recognised(catalog.family_of(model.family, model.name), model, False)
    told = [family for family in fitting if family.name in word] or fitting
    if len(told) == 1:
        return Recognised(told[0], None, False)
    names = [family.name for family in told]
    raise ModelError(
        f"{path.name} could be any of {', '.join(names)}",
        got=str(signature),
        do=f"Say which: rtswap models add {as_argument(path.name)} --as {names[0]}",
    )


def _name(
    path: Path, name: str, fitting: Sequence[Family], signature: Signature, catalog: ModelCatalog
) -> Recognised:
    known = catalog.models.get(name)
    wanted = known.family if known else name
    if wanted not in catalog.families:
        raise ModelError(
            f"unknown kind of model {name!r}",
            expected=", ".join(catalog.families),
            do=suggestion(name, [*catalog.families, *catalog.models], "`rtswap models` lists the known models."),
        )
    if wanted not in [family.name for family in fitting]:
        raise ModelError(
            f"{path.name} does not fit {wanted}",
            expected=f"the inputs of {', '.join(family.name for family in fitting)}",
            got=str(signature),
        )
    return Recognised(catalog.family_of(wanted, name), known, False)


def plain(word: str) -> str:
    """Return a name in lower case, with underscores for everything but letters, digits, dots and signs."""
    return re.sub(r"[^a-z0-9.]+", "_", word.lower()).strip("_.")


def fits(family: Family, signature: Signature) -> bool:
    """Whether a file has the inputs and outputs of a family."""
    if len(signature.outputs) not in family.counts or not _inputs_fit(family, signature.inputs):
        return False
    if family.emap and signature.last_weight is None:
        return False
    if family.name == "yunet":
        return {port.name for port in signature.outputs} == set(YUNET)
    last = [port.shape[-1:] for port in signature.outputs]
    if family.name == "retinaface":
        return sorted(last) == sorted((side,) for side in PRIORS)
    if family.name == "scrfd":
        return sorted(last) == sorted((side,) for side in (1, 4, 10) * 3)
    first = signature.outputs[0].shape
    if family.classes:
        return len(first) == 4 and first[1] == family.classes
    if family.kind == "masker":
        return len(first) == 4 and first[-1] in (1, -1)
    if family.kind in ("embedder", "converter"):
        return len(first) == 2 and first[1] in (512, -1)
    if family.same:
        return first[1:] == signature.inputs[0].shape[1:] and first[-1:] >= (128,)
    return True


def _inputs_fit(family: Family, ports: Sequence[Port]) -> bool:
    wanted = dict(family.inputs)
    sides: set[int] = set()
    for port in ports:
        key = next((key for key in (port.name, f"{port.name}?", "*") if key in wanted), "")
        if not key or not _shape_fits(wanted.pop(key), port.shape, sides):
            return False
    return all(key.endswith("?") for key in wanted) and len(sides) <= 1


def _shape_fits(wanted: Sequence[int | str], shape: Sequence[int], sides: set[int]) -> bool:
    """Whether a shape fits; a side ``s`` is added to ``sides``."""
    if tuple(wanted) == ("any",):
        return True
    if len(wanted) != len(shape):
        return False
    for want, have in zip(wanted, shape, strict=True):
        if isinstance(want, int):
            if have not in (want, -1):
                return False
        elif want == "n":
            if have not in (1, -1):
                return False
        elif want == "s":
            if have not in SIDES:
                return False
            sides.add(have)
    return True
