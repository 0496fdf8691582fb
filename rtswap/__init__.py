"""rtswap: a real-time, one-shot face swapper. See ``rtswap.api`` for its use from Python.

What is named here is loaded when first used, so that ``rtswap --help`` stays instant.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `python -m rtswap` looks in the working folder for what is imported here, even for typing
if TYPE_CHECKING:
    from typing import Any

    from rtswap.api import LiveSwap, run_session, swap
    from rtswap.verification import verify

__version__ = "0.1.0"
__all__ = ["LiveSwap", "run_session", "swap", "verify"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rtswap' has no attribute {name!r}")
    if name == "verify":
        from rtswap.verification import verify as found

        return found
    from rtswap import api

    return getattr(api, name)
