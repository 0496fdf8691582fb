"""``--swapper me.dfm``, ``--swapper any.rtswap``: a swapper given as a file is added to the imported models, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rtswap.app.config import Config
from rtswap.app.option_kinds import is_model_file
from rtswap.core.errors import ModelError, reason
from rtswap.core.files import sha256_of
from rtswap.core.urls import expanded


def with_installed_swapper(config: Config, on_event: Callable[[str], None]) -> Config:
    """The configuration with the swapper's name instead of its file, which is added if it is new: the person whose
    face a DFM carries must have agreed. A file that was trained further replaces what was added from the same path.
    Raises ModelError, UsageError."""
    if not is_model_file(config.swap.swapper):
        return config
    from rtswap.networks.installed_models import list_installed
    from rtswap.networks.model_kinds import plain
    from rtswap.networks.model_store import add, examine, remove
    from rtswap.networks.system_file import fingerprint, is_system_file
    from rtswap.source.consent import ConsentRecord, ask

    path = expanded(config.swap.swapper).absolute()
    try:
        sha256, here = fingerprint(path) if is_system_file(path) else sha256_of(path), list_installed()
    except OSError as error:
        raise ModelError(f"cannot read {path}", got=reason(error)) from None
    name = next((model.name for model in here if model.sha256 == sha256 and not model.damage), "")
    if not name:
        # What was added before is removed only once the new file is known to be sound, and agreed to.
        examine(path)
        if not is_system_file(path):
            ask([path], ConsentRecord(), assume=config.source.i_have_consent, on_event=on_event)
        for model in here:
            if model.origin == str(path):
                remove(model.name)
        taken = {model.name for model in list_installed()}
        name = plain(path.stem)
        name = f"{name}-{sha256[:6]}" if name in taken else name
        name = add(path, name=name, on_event=on_event)[0].name
    return replace(config, swap=replace(config.swap, swapper=name))
