"""The exception tree. One line each: what, expected, got, what to do.

::

    RtswapError                 exit code 1: it went wrong while running
    |-- UsageError              exit code 2: what was asked for cannot be meant
    |   |-- ConfigError         a flag or a line of rtswap.toml
    |   `-- SourceError         the photo: no face, too small, blurred, not a picture
    |-- InputError              camera, file or URL cannot be opened or read
    |-- OutputError             virtual camera, window, file or URL cannot be opened or written
    |-- ModelError              a network's file is missing, damaged, or not what its contract says
    |   `-- NotInstalled        an optional package that it needs; says which
    |-- EngineError             no engine can run a network; lists every engine's reason
    `-- FaceLost                the tracked face is gone and ``--on-failure stop`` was asked for

Only these reach the user as a message; anything else is a defect and shows a traceback.
"""

from __future__ import annotations


class RtswapError(Exception):
    exit_code = 1

    def __init__(self, what: str, *, expected: str = "", got: str = "", do: str = "") -> None:
        self.what, self.expected, self.got, self.do = what, expected, got, do
        parts = [what]
        if expected:
            parts.append(f"expected {expected}")
        if got:
            parts.append(f"got {got}")
        message = "; ".join(parts)
        super().__init__(f"{message}. {do}" if do else message)


class UsageError(RtswapError):
    exit_code = 2


class ConfigError(UsageError):
    pass


class SourceError(UsageError):
    pass


class InputError(RtswapError):
    pass


class OutputError(RtswapError):
    pass


class ModelError(RtswapError):
    pass


class NotInstalled(ModelError):
    pass


class EngineError(RtswapError):
    pass


class FaceLost(RtswapError):
    pass


def reason(error: object) -> str:
    """Why something failed, in a line of at most 200 characters: the system's words, without file name and number."""
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.splitlines()[0][:200].rstrip(".") if text else type(error).__name__
