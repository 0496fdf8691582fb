"""Parts built from their ``SPEC``, as ``Program`` builds them."""

from __future__ import annotations

from dataclasses import replace

from people import face_models
from scripts_loader import load_script

from rtswap.app.config import Config
from rtswap.core.parts import BuildContext, FinishSpec, SwapperSpec
from rtswap.core.protocols import Finish, SwapModel


def context_of(spec: SwapperSpec | FinishSpec) -> BuildContext:
    """The default settings, and the networks that the part wants, on the processor."""
    context = BuildContext(Config().swap, Config().mask, device="cpu")
    wanted = spec.networks(context) if callable(spec.networks) else spec.networks or ()
    return replace(context, engines=face_models().open(wanted)) if wanted else context


def build(spec: SwapperSpec) -> SwapModel:
    """The model for the host."""
    return spec.build(context_of(spec))


def build_finish(spec: FinishSpec) -> Finish:
    """The step for the host."""
    return spec.build(context_of(spec))


def old_film() -> FinishSpec:
    """The finish in the docs."""
    spec: FinishSpec = load_script("docs/examples/rtswap_example/old_film.py").SPEC
    return spec
