"""Third-party models that rtswap can use: families, known files and packs, read from ``assets/models.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

from rtswap.core.errors import ModelError, reason

FILE = "assets/models.toml"
Kind = Literal["swapper", "converter", "embedder", "detector", "enhancer", "masker"]
Color = tuple[float, float, float]
"""Per channel, in the order of the network's layout."""


@dataclass(frozen=True, slots=True)
class Family:
    """How models of one kind are fed and read. Colours are 0..1; the network is given ``(colour - mean) / std``."""

    name: str
    kind: Kind
    title: str
    inputs: Mapping[str, Sequence[int | str]] = field(default_factory=dict)
    """Input name -> shape, see the head of the file."""
    outputs: int | Sequence[int] = 1
    """Allowed numbers of outputs."""
    same: bool = False
    """The output has the shape of the input."""
    emap: bool = False
    """The last initialiser, (512, 512), maps the embedding to the latent."""
    picture: int = 0
    """Which output is the picture."""
    mask: int = -1
    """Which output says where the picture holds, 0..1; -1 = none."""
    target_mask: int = -1
    """Which output says where the target's face is, 0..1; -1 = none."""
    classes: int = 0
    """Classes of a masker's output; 0 = one value per pixel, 0..1."""
    template: str = ""
    """Placement of the five keypoints, by its name in ``vision.templates``."""
    layout: Literal["NCHW RGB", "NCHW BGR", "NHWC BGR"] = "NCHW RGB"
    mean: Color = (0.0, 0.0, 0.0)
    std: Color = (1.0, 1.0, 1.0)
    range: Literal["0..1", "-1..1"] = "0..1"
    """Range of the picture that comes out."""
    score: float = 0.5
    """Least score 0..1 of a detector's faces."""
    identity: Literal["embedding", "crop", "none"] = "none"
    """The source data that a swapper receives."""
    converter: str = ""
    """The model that converts ArcFace's embedding; given it at its full length."""
    unit: bool = False
    """Whether the latent is given unit length."""
    source_template: str = ""
    """Placement of the source's crop."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Allowed numbers of outputs."""
        return (self.outputs,) if isinstance(self.outputs, int) else tuple(self.outputs)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One published file."""

    name: str
    family: str
    title: str
    licence: str
    terms: str = ""
    """Address of the licence text."""
    commercial: bool = False
    """Whether the licence allows commercial use."""
    urls: Sequence[str] = ()
    """Mirrors of the same file."""
    sha256: Sequence[str] = ()
    """Published builds, first the one at ``urls``; empty: none is published, pinned on first use."""
    bytes: int = 0
    """Size of the file at ``urls``; 0 = not published."""
    pack: str = ""
    """The pack it comes with."""
    names: Sequence[str] = ()
    """Other names of its file, without suffix, in lower case."""
    space: str = ""
    """An embedder's identity space."""
    template: str = ""
    mean: Color | None = None
    std: Color | None = None
    """Where they differ from the family's."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A zip file with several models."""

    name: str
    title: str
    licence: str
    terms: str
    urls: Sequence[str]
    sha256: Sequence[str]
    bytes: int
    commercial: bool = False


@dataclass(frozen=True, slots=True)
class ModelCatalog:
    """Everything in the file, by name."""

    families: Mapping[str, Family]
    models: Mapping[str, KnownModel]
    packs: Mapping[str, Pack]

    def family_of(self, family: str, known: str = "") -> Family:
        """Return the family, with the changes of the known model. Raises ModelError for an unknown one."""
        if family not in self.families:
            raise ModelError(f"unknown family of models {family!r}", expected=", ".join(self.families))
        found, model = self.families[family], self.models.get(known)
        changed = {} if model is None else {key: getattr(model, key) for key in ("template", "mean", "std")}
        return replace(found, **{key: value for key, value in changed.items() if value})

    def by_hash(self, sha256: str) -> KnownModel | None:
        """Return the model with a published build of this hash."""
        return next((model for model in self.models.values() if sha256 in model.sha256), None)


@cache
def model_catalog() -> ModelCatalog:
    """Read the file. Raises ModelError."""
    tables = tomllib.loads(resources.files("rtswap").joinpath(FILE).read_text("utf-8"))
    return ModelCatalog(
        {name: _read(Family, name, row) for name, row in tables["family"].items()},
        {name: _read(KnownModel, name, row) for name, row in tables["model"].items()},
        {name: _read(Pack, name, row) for name, row in tables["pack"].items()},
    )


def _read(kind: Any, name: str, row: Mapping[str, Any]) -> Any:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    try:
        return kind(name=name, **values)
    except TypeError as error:
        raise ModelError(f"cannot read {name} in {FILE}", got=reason(error)) from error
