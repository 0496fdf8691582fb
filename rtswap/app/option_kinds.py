"""Value types that are used by a single option each."""

from __future__ import annotations

from pathlib import Path

from rtswap.app.options import Kind, choice, integer, text
from rtswap.compositing.finishes import GROUP as FINISHES
from rtswap.compositing.finishes import optional_finishes
from rtswap.core.plugins import plugin_names
from rtswap.core.urls import expanded
from rtswap.swappers import GROUP as SWAPPERS
from rtswap.swappers import built_in_swappers
from rtswap.swappers.onnx import imported_swappers

BADGE_STYLES = ("auto", "dark", "light", "outline")
BADGE_POSITIONS = ("tl", "tc", "tr", "bl", "bc", "br")
BADGE_LANGUAGES = tuple("en bg cs da de el es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv zh ja ko".split())  # noqa: SIM905
"""The official languages of the EU, and Chinese, Japanese and Korean."""


MASKS, IMPORTED_MASKS = ("hull", "skin", "occlusion"), ("xseg", "bisenet")
DETECTORS = ("mtcnn", "scrfd", "yunet", "retinaface")
"""Families of face detectors; all but the first are imported models."""


def camera_index() -> Kind:
    """A camera number, 0 to 255; stored as a string."""
    index = integer("N", 0, 255)
    return Kind(index.expected, "N", lambda value: str(index.parse(value)), write=index.write)


def address() -> Kind:
    """A camera number, a path or a URL; stored as a string."""
    expected = "a camera number, a file, a folder or a URL"
    read = text("ADDRESS", expected).parse
    return Kind(expected, "ADDRESS", lambda v: read(str(v)), (str, int))


def badge_look() -> Kind:
    """A style, a position or both, in any order; stored as ``style position``."""

    def parse(value: str) -> str:
        words = value.replace(",", " ").split()
        styles = [word for word in words if word in BADGE_STYLES]
        positions = [word for word in words if word in BADGE_POSITIONS]
        if unknown := [word for word in words if word not in (*BADGE_STYLES, *BADGE_POSITIONS)]:
            raise ValueError(repr(unknown[0]))
        if not words or styles[1:] or positions[1:]:
            raise ValueError(repr(value) if words else "nothing")
        return " ".join((*(styles or ["auto"]), *(positions or ["bl"])))

    expected = f"a style ({', '.join(BADGE_STYLES)}), a position ({', '.join(BADGE_POSITIONS)}) or both: light,tr"
    return Kind(expected, "STYLE,POSITION", parse)


def swapper() -> Kind:
    """A built-in swapper by name or alias, an imported model, or a plugin's (loaded only when used); stored as its
    name. A file stays a path (``app.swapper_file``)."""
    names = tuple(spec.name for spec in built_in_swappers())
    aliases = {alias: spec.name for spec in built_in_swappers() for alias in spec.aliases}

    def installed() -> tuple[str, ...]:
        return (*plugin_names(SWAPPERS), *(spec.name for spec in imported_swappers()))

    def parse(value: str) -> str:
        name = aliases.get(value, value)
        if is_model_file(value) and expanded(value).is_file():
            return value
        if is_model_file(value):
            raise ValueError(f"{value!r}: there is no such file")
        if name not in (*names, *installed()):
            unknown = f"{value!r}{_trained_in(expanded(value))}"
            raise ValueError(
                f"{value!r}, which is not installed: see `rtswap models`" if _is_known(name) else unknown
            )
        return name

    others = "an imported model, a file (.dfm .rtswap .onnx), or the swapper of an installed plugin"
    expected = f"one of {', '.join(names)}, {others}"
    return Kind(expected, "{" + ",".join(names) + "}", parse, choices=names, installed=installed, aliases=aliases)


def _trained_in(path: Path) -> str:
    """For messages: the file that is meant by the folder of a training, or by its checkpoint."""
    folder = path.parent if path.suffix in (".pt", ".pth") else path
    files = [one for one in folder.iterdir() if is_model_file(one.name)] if folder.is_dir() else []
    found = sorted(files, key=lambda one: (len(one.name), one.name))  # NAME.dfm before NAME-back.dfm
    return f": what was trained there is {found[0]}" if found else ""


def is_model_file(value: object) -> bool:
    """Whether a swapper is named by its file."""
    return isinstance(value, str) and value.lower().endswith((".dfm", ".onnx", ".rtswap"))


def runs_foreign_part(value: object) -> bool:
    """Whether a part is named that does not come with rtswap: an imported model, a model's file, or a plugin's
    swapper or finish. It runs others' files or code, or carries a person's face, so a ``rtswap.toml`` that is not the
    user's own may not choose it (``option(own=...)``)."""
    ours = {"none", *MASKS, *(spec.name for spec in built_in_swappers())}
    others = set(value if isinstance(value, tuple) else (value,)) - ours
    return bool(others and others - optional_finishes().keys())  # which are slow to import


def _is_known(name: str) -> bool:
    """Whether it is a model of the catalogue, or the beginning of one's name: ``inswapper``."""
    from rtswap.networks.model_catalog import model_catalog  # only for a name that is not installed

    return any(known == name or known.startswith(f"{name}_") for known in model_catalog().models)


def finish() -> Kind:
    """A finish that no other setting turns on: rtswap's own, or a plugin's, which is loaded only when used."""

    def installed() -> tuple[str, ...]:
        return (*optional_finishes(), *plugin_names(FINISHES))

    def parse(value: str) -> str:
        if value not in installed():
            raise ValueError(f"{value!r}; installed: {', '.join(installed()) or 'none'}")
        return value

    return Kind("the name of a finish that no other flag turns on", "NAME", parse, many=True, installed=installed)


def detector() -> Kind:
    """A family of face detectors; stored as its name."""
    return choice(*DETECTORS)


def enhancer() -> Kind:
    """An imported enhancer, or none; looked up only when used."""

    def parse(value: str) -> str:
        if value != "none" and value not in _enhancers():
            raise ValueError(
                f"{value!r}, which is not installed: see `rtswap models`" if _is_known(value) else repr(value)
            )
        return value

    return Kind("none, or the name of an imported enhancer", "NAME", parse, installed=_enhancers)


def _enhancers() -> tuple[str, ...]:
    from rtswap.networks.installed_models import names_of  # slow to import, and rarely needed

    return names_of("enhancer")
