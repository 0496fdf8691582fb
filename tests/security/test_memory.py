"""What a stranger's file asks for is refused before the machine has no memory left."""

from __future__ import annotations

import subprocess
import sys

import pytest
from processes import run_python

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc and limits of data are Linux's")

SET_UP = """
import resource, sys
from rtswap.core import memory
memory.LEAST, memory.free_memory = int(sys.argv[1]), lambda: int(sys.argv[2])
"""
COMMAND = (
    SET_UP
    + """
import rtswap.commands.main as main
main.main = lambda: print(*resource.getrlimit(resource.RLIMIT_DATA)) or 0
main.run_process()
"""
)
GROWING = (
    SET_UP
    + """
sys.path.insert(0, "tests/helpers")
import foreign_models as foreign
from rtswap.core.errors import RtswapError
from rtswap.engines.starting import start
doubled = [foreign.node("Concat", f"t{k} t{k}", f"t{k + 1}", axis=0) for k in range(32)]
content = foreign.file(doubled, {"t0": [1]}, {"t32": [1 << 32]})
memory.limit_memory()
for engine in ("openvino", "onnxruntime"):
    try:
        import numpy as np, pathlib
        started = start(engine, "growing", content, 1, pathlib.Path("/nowhere"))
        started.run({"t0": np.ones(1, np.float32)})
    except RtswapError as error:
        print("refused")
print(memory.peak_memory() < 2 << 30)
"""
)

SIZES = """
import numpy as np
from rtswap.app.config import Config
from rtswap.app.networks import Networks, bind_models
from rtswap.core.memory import peak_memory
models = bind_models(Networks(Config(), on_event=lambda event: None), Config())
for number in range(1601):
    models.detector.detect(np.zeros((240 + 2 * (number // 40), 320 + 2 * (number % 40), 3), np.uint8))
    if number in (800, 1600):
        print(peak_memory())
"""


def test_a_command_has_the_memory_that_is_free() -> None:
    for least, free, most in ((1, 5 << 30, 5 << 30), (6 << 30, 5 << 30, 6 << 30)):
        soft, hard = run_python(COMMAND, str(least), str(free)).stdout.split()
        assert int(soft) == most
        assert int(hard) == -1 or int(hard) > most


def test_a_network_that_grows_is_refused() -> None:
    assert run_python(GROWING, "1500000000", "0").stdout.split() == ["refused", "refused", "True"]


def test_a_stream_whose_size_changes_with_each_picture_fills_no_cache() -> None:
    """OpenVINO kept 0.1 MB of each size."""
    before, after = map(int, run_python(SIZES).stdout.split())
    assert after - before < 25e6


def test_a_lower_limit_of_the_users_stays() -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 40))\n" + COMMAND
    assert run_python(code, str(1 << 31), str(1 << 31)).stdout.split()[0] == str(1 << 30)


def test_too_little_memory_is_one_line() -> None:
    code = SET_UP + (
        "import rtswap.commands.main as main, numpy as np\n"
        "main._dispatch = lambda _: int(np.zeros(1 << 31)[0])\nmain.run_process()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "2000000000", "0"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (
        1,
        "rtswap: the system gives no more memory or threads. Close other programs.\n",
    )


def test_peak_memory_is_this_process_own() -> None:
    """``ru_maxrss`` would be what the process that started it had."""
    code = "from rtswap.core.memory import peak_memory\nprint(peak_memory())"
    large = bytearray(b"x" * (300 << 20))
    assert 1 << 20 < int(run_python(code).stdout) < len(large)
