"""Limit this process to the memory that the machine has free (Linux).

A file of a stranger can make a library ask for any amount: a network whose layers grow, a table without end, a zip
file. With the limit the library is refused, and that is an error like others; without it, the system would end this
program, or another one.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

LEAST = 4 << 30
"""Never less: what is asked for is not all used, 0.5 to 1.5 GB in most runs."""
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Limit and use of a container, in both versions of control groups."""


def limit_memory() -> None:
    """Refuse this process, and its children, more memory than is free now. A lower limit of the user's stays."""
    if sys.platform != "linux":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = max(LEAST, free_memory())
    if soft == resource.RLIM_INFINITY or soft > most:
        with suppress(ValueError, OSError):  # more than the hard limit
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def lift_memory_limit() -> None:
    """Allow this process all memory again: drivers of GPUs reserve far more than they use."""
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def free_memory() -> int:
    """Bytes that can be used without swapping, by the kernel's estimate; 0 if it is unknown."""
    free = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")))
    for most, used in _GROUPS:
        with suppress(OSError, ValueError):  # "max": no limit
            free.append(max(0, int(Path(most).read_text()) - int(Path(used).read_text())))
    return min(free, default=0)


def peak_memory() -> int:
    """Most bytes that this process has had in memory at once.

    On Linux not ``ru_maxrss``, which never falls below what the process that started this one had."""
    if sys.platform == "linux":
        with suppress(OSError, ValueError, IndexError):
            return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
