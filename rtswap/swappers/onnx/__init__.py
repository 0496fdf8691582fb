"""The swappers that the user has imported: a ``SwapperSpec`` for each installed model, those of other
projects all of one ``OnnxSwapModel``. The inputs and outputs of a family are data (``assets/models.toml``): a new
family needs a table there, and code only for an input or output that no other family has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from rtswap.core.model_rows import ONE_SHOT, model_rows
from rtswap.core.parts import BuildContext, SwapperSpec
from rtswap.swappers import one_shot

if TYPE_CHECKING:  # keep --help fast: read the catalogue only if a model is installed
    from rtswap.core.protocols import SwapModel
    from rtswap.networks.catalog import Entry


def imported_swappers() -> tuple[SwapperSpec, ...]:
    """A spec for each installed swapper, in the order of their names."""
    if not model_rows():
        return ()
    from rtswap.networks.catalog import imported_models
    from rtswap.networks.model_catalog import model_catalog

    families = model_catalog().families
    models = imported_models()
    entries = [entry for entry in models.values() if entry.family in families]
    return tuple(
        one_shot.spec_of(entry, models) if entry.family == ONE_SHOT else spec_of(entry)
        for entry in entries
        if families[entry.family].kind == "swapper"
    )


def spec_of(entry: Entry) -> SwapperSpec:
    """The spec of one installed swapper."""
    from rtswap.networks.installed_models import LATENT
    from rtswap.networks.model_catalog import model_catalog

    family = model_catalog().family_of(entry.family, entry.known)
    latent = f"{entry.name}{LATENT}" if family.emap else family.converter
    networks = (entry.name, *((latent,) if latent else ()))
    return SwapperSpec(
        entry.name,
        entry.title,
        _builder(entry, latent),
        networks=networks,
        needs_source=family.identity != "none",
    )


def _builder(entry: Entry, latent: str) -> Callable[[BuildContext], SwapModel]:
    def build(context: BuildContext) -> SwapModel:
        from rtswap.networks.model_catalog import model_catalog
        from rtswap.swappers.onnx.identity import Latent
        from rtswap.swappers.onnx.swapper import OnnxSwapModel

        family = model_catalog().family_of(entry.family, entry.known)
        if entry.template:
            family = replace(family, template=entry.template)
        return OnnxSwapModel(
            context.engines[entry.name],
            entry,
            family,
            Latent(family, context.engines.get(latent)),
            hull="hull" in context.mask.masks,
            boost=context.models.boost,
            morph=context.models.morph,
            coverage=context.models.coverage,
        )

    return build
