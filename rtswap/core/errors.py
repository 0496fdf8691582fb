"""Exception classes. A message is one line: what failed, what was expected, what was found, what to do.

::

    RtswapError                 exit code 1: runtime error
    |-- UsageError              exit code 2: invalid flag, configuration or photo
    |   |-- ConfigError         a flag or a line of rtswap.toml
    |   `-- SourceError         the photo: no face, too small, blurred, not an image
    |-- InputError              camera, file or URL cannot be opened or read
    |-- OutputError             virtual camera, window, file or URL cannot be opened or written
    |-- ModelError              a network's file is missing or damaged, or its inputs or outputs are wrong
    |   `-- NotInstalled        a required optional package is missing; the message names it
    |-- EngineError             no engine can run a network; lists every engine's reason
    `-- FaceLost                the tracked face is lost and ``--on-failure stop`` is set

Only these are shown to the user as a message; any other exception is a bug and shows a traceback.
"""

from __future__ import annotations

MOST_LETTERS, MOST_GOT = 5000, 1000
"""Of a part of a message, which may repeat what a file of others holds; paths have up to 4,096."""


class RtswapError(Exception):
    exit_code = 1

    def __init__(self, what: str, *, expected: str = "", got: str = "", do: str = "") -> None:
        what, expected, got = what[:MOST_LETTERS], expected[:MOST_LETTERS], got[:MOST_GOT]
        self.what, self.expected, self.got, self.do = what, expected, got, do
        parts = [what]
        if expected:
            parts.append(f"expected {expected}")
        if got:
            parts.append(f"got {got.removesuffix('.')}")
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


class OutputExists(OutputError):
    """An output file that exists, without ``--overwrite``."""


class ModelError(RtswapError):
    pass


class NotInstalled(ModelError):
    pass


class EngineError(RtswapError):
    pass


class FaceLost(RtswapError):
    pass


def reason(error: object) -> str:
    """Return the cause of an error in one line of at most 200 characters: the system's message without file name and
    errno."""
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.splitlines()[0][:200].rstrip(".") if text else type(error).__name__


def described(error: BaseException) -> str:
    """The message of one of our own errors; of any other its cause and kind: ``an empty mask (ValueError)``."""
    if isinstance(error, RtswapError):
        return str(error)
    kind = type(error).__name__
    return kind if reason(error) == kind else f"{reason(error)} ({kind})"
