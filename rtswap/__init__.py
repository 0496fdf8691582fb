"""rtswap: a real-time, one-shot face swapper. See ``rtswap.api`` for its use from Python.

What is named here is loaded when first used, so that ``rtswap --help`` stays instant.
"""

from __future__ import annotations

import os

from rtswap.core.isolation import PICTURE_LIMIT, keep_library_path
from rtswap.core.version import __version__ as __version__

TYPE_CHECKING = False  # `python -m rtswap` looks in the working folder for what is imported here, even for typing
if TYPE_CHECKING:
    from typing import Any

    from rtswap.api import LiveSwap, Swapper, SwapSession, run_session, swap
    from rtswap.commands.verify.run import verify
    from rtswap.core.errors import FaceLost, InputError, RtswapError, SourceError, UsageError
    from rtswap.core.types import MarkedImage

__all__ = [
    "FaceLost",
    "InputError",
    "LiveSwap",
    "MarkedImage",
    "RtswapError",
    "SourceError",
    "SwapSession",
    "Swapper",
    "UsageError",
    "__version__",
    "run_session",
    "swap",
    "verify",
]

keep_library_path()
os.environ.setdefault("GNUTLS_SYSTEM_PRIORITY_FILE", "/etc/gnutls/config")  # PyAV's wheels: in /tmp/vendor, anybody's
os.environ.setdefault(*PICTURE_LIMIT)  # your program may have set its own


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rtswap' has no attribute {name!r}")
    if name == "verify":
        from rtswap.commands.verify.run import verify as found

        return found
    from rtswap import api
    from rtswap.core import errors

    return getattr(api, name, None) or getattr(errors, name)
