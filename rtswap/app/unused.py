"""Which flags of a run have no effect, since what they are about takes no part in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from rtswap.app.config import OPTIONS, Config
from rtswap.app.config_file import Effective
from rtswap.core.urls import scheme
from rtswap.media.file_kinds import KINDS, codec_for, holds

_OWN_SWAPPERS = next(row.kind.choices for row in OPTIONS if row.key == "swap.swapper")


class _Rule(NamedTuple):
    keys: tuple[str, ...]
    takes_part: Callable[[Config], bool]
    needs: str


def _switches_sources(config: Config) -> bool:
    outputs = config.output.to
    return config.tracking.faces == "all" or not outputs or any(one.strip() == "window" for one in outputs)


def _connects(config: Config) -> bool:
    return any(scheme(address.strip()) not in ("", "file") for address in (config.input.address, *config.output.to))


_RULES = (
    _Rule(
        ("models.boost", "models.morph", "models.coverage"),
        lambda config: config.swap.swapper not in _OWN_SWAPPERS,
        "an imported or trained --swapper",
    ),
    _Rule(
        ("models.enhance_weight", "models.enhance_blend", "models.enhance_every"),
        lambda config: config.models.enhance != "none",
        "--enhance",
    ),
    _Rule(("source.also",), _switches_sources, "--faces all, or a window and its keys"),
    _Rule(("network.tls_ca",), _connects, "an encrypted input or output"),
)


def unused_flags(effective: Effective) -> Iterable[str]:
    """Yield a line for each group of flags that have no effect. What files set is not reported: they are for many
    runs."""
    for rule in _RULES:
        flags = [effective.origins[key] for key in rule.keys if effective.origins[key].startswith("-")]
        if flags and not rule.takes_part(effective.config):
            yield f"{', '.join(flags)} {'have' if flags[1:] else 'has'} no effect without {rule.needs}"
    yield from _other_codecs(effective)


def _other_codecs(effective: Effective) -> Iterable[str]:
    """Of ``--codec h264``, which is the default: files of some kinds hold another."""
    codec = effective.config.output.codec
    if not effective.origins["output.codec"].startswith("-"):
        return
    for address in effective.config.output.to:
        suffix = "" if scheme(address) else Path(address).suffix.lower()
        if suffix in KINDS and holds(suffix, codec) and (written := codec_for(suffix, codec)) != codec:
            yield f"--codec {codec} has no effect in {suffix} files: they hold {written}"
