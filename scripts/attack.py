"""Attack the commands with damaged files, odd flags, bad servers, hostile surroundings and signals.

Each case is a process of its own, made from the seed and its number, so that `--seed S --case N` repeats it. A fault
is an internal error, a crash, a hang, a face that leaves bare, a recording that does not play, an input
that changed, or more than 3 GB of memory. Linux only. `make fuzz` runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/helpers")]

from attack_material import (  # noqa: E402
    COMMANDS,
    FLAGS,
    ODD,
    STUDIO,
    SURROUNDINGS,
    face_picture,
    knock,
    make_seeds,
    mutate,
    serve_badly,
    write_jumping_clock,
)
from attack_plugin import METHODS, WHAT, install  # noqa: E402

LIMIT_S, MOST_BYTES = 40.0, 3 << 30
CODES = (0, 1, 2, 3, 130, 141)
FACE = slice(70, 170), slice(70, 170)
"""Where the face of the seeds is, px."""


@dataclass
class Case:
    """What one process is given."""

    words: list[str]
    surroundings: str = ""
    signals: list[tuple[float, int]] = field(default_factory=list)
    """Seconds after the start, and what is sent then."""
    twice: bool = False
    fault: str = ""
    """As ``attack_plugin`` reads it."""
    port: int = 0
    """Where the studio listens."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--case", type=int, help="repeat this case alone, in a folder that is kept")
    parser.add_argument("--log", type=Path, help="append the faults to this file, as JSON lines")
    wanted = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT}/tests/helpers"}
    until, number, faults = time.monotonic() + wanted.seconds, 0, 0
    folder = Path(tempfile.mkdtemp(prefix="attack-"))
    seeds = make_seeds(folder / "seeds")
    install(folder / "plugin")
    write_jumping_clock(folder / "clock")
    with serve_badly(folder / "seeds") as addresses:
        while time.monotonic() < until:
            number = wanted.case if wanted.case is not None else number + 1
            found = attack(folder / f"case-{number}", seeds, addresses, np.random.default_rng([wanted.seed, number]))
            for fault in found:
                faults += 1
                line = json.dumps({"seed": wanted.seed, "case": number} | fault, ensure_ascii=False)
                print(line, flush=True)
                if wanted.log:
                    with wanted.log.open("a") as log:
                        log.write(line + "\n")
            if wanted.case is not None:
                print(folder)
                return bool(found)
            shutil.rmtree(folder / f"case-{number}", ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    print(f"seed {wanted.seed}: {number} cases, {faults} faults")
    return bool(faults)


def attack(
    folder: Path, seeds: dict[str, Path], addresses: list[str], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Run one case and return its faults."""
    folder.mkdir(parents=True)
    case = _draw(folder, seeds, addresses, rng)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.is_symlink()}
    began = time.monotonic()
    processes = [_start(folder, case) for _ in range(1 + case.twice)]
    for after_s, number in case.signals:
        time.sleep(max(0.0, began + after_s - time.monotonic()))
        if case.port:
            knock(case.port, rng)
        if processes[0].poll() is None:
            processes[0].send_signal(number)
    faults = [fault for process in processes if (fault := _wait_for(process, case))]
    faults += [
        f"{path.name} changed" for path, data in before.items() if not path.exists() or path.read_bytes() != data
    ]
    if not case.surroundings.startswith("full disk"):
        faults += check_outputs(folder)
    took_s = round(time.monotonic() - began, 1)
    told = processes[0].told[-1500:]  # type: ignore[attr-defined]
    return [
        {"fault": fault, "words": case.words, "in": f"{case.surroundings} {case.fault}", "s": took_s, "told": told}
        for fault in faults
    ]


def _draw(folder: Path, seeds: dict[str, Path], addresses: list[str], rng: np.random.Generator) -> Case:
    """Fill the case's folder and return what is run there."""
    kind = rng.choice(
        ["file", "file", "file", "file", "flags", "flags", "web", "place", "place", "signal", "api", "studio"]
    )
    command = [str(word) for word in COMMANDS[rng.integers(len(COMMANDS))]]
    names = list(seeds)
    name = names[rng.integers(len(names))]
    shutil.copy(seeds[name], folder / name)
    for extra in ("clip.mp4", "face.png"):
        if not (folder / extra).exists():
            shutil.copy(seeds[extra], folder / extra)
    address, case = name, Case(command)
    if kind == "file":
        (folder / name).write_bytes(
            mutate((folder / name).read_bytes(), [p.read_bytes() for p in seeds.values()], rng)
        )
        if rng.random() < 0.1:
            address = f"link{Path(name).suffix}"
            (folder / address).symlink_to(rng.choice([name, ".", address, "/dev/zero", "/etc/passwd", "nowhere"]))
    elif kind == "web":
        address = addresses[rng.integers(len(addresses))]
    elif kind == "place":
        case.surroundings = str(rng.choice(SURROUNDINGS))
        case.twice = rng.random() < 0.15
        if case.surroundings == "broken part":
            flag = str(rng.choice(list(METHODS)))
            case.fault = f"{rng.choice(METHODS[flag])} {rng.choice([1, 1, 2, 3])} {rng.choice(WHAT)}"
            name = "breaking:" if flag.startswith("-") and len(flag) == 2 else "breaking"
            case.words = [
                "-s",
                "persona:vera",
                *(() if flag == "-i" else ("-i", "clip.mp4")),
                "-o",
                "out.mp4",
                flag,
                name,
            ]
            return case
    elif kind == "signal":
        sent = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE]
        at_s = float(rng.uniform(0, 2.5))
        for _ in range(rng.integers(1, 4)):
            case.signals.append((at_s, int(rng.choice(sent))))
            at_s += float(rng.exponential(0.3))
    elif kind == "studio":
        with socket.create_server(("127.0.0.1", 0)) as free:
            case.port = free.getsockname()[1]
        case.signals = [(float(rng.uniform(1, 5)), int(rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])))]
        command = [str(case.port) if word == "PORT" else word for word in STUDIO]
        shutil.copy(seeds["settings.toml"], folder / "settings.toml")
    elif kind == "api":
        case.words = ["api", str(rng.integers(1 << 30)), name]
        return case
    case.words = [address if word == "FILE" else word for word in command]
    if kind == "flags" or rng.random() < 0.2:
        for _ in range(rng.integers(1, 4)):
            case.words.append(FLAGS[rng.integers(len(FLAGS))])
            if rng.random() < 0.8:
                case.words.append(str(rng.choice([*ODD, name])))
    return case


def _start(folder: Path, case: Case) -> subprocess.Popen[bytes]:
    script = ["-m", "rtswap"] if case.words[0] != "api" else [str(ROOT / "tests/helpers/attack_api.py")]
    words = case.words if case.words[0] != "api" else case.words[1:]
    words = [word.replace("\0", "?") for word in words]
    env = dict(os.environ)
    command = [sys.executable, "-P", *script, *words]
    limits: list[tuple[int, int]] = []
    stdout: Any = subprocess.PIPE
    match case.surroundings:
        case "no home":
            env = {"PATH": os.defpath, "PYTHONPATH": os.environ["PYTHONPATH"], "HOME": "/nowhere"}
        case "other language":
            env |= {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu", "PYTHONUTF8": "0"}
        case "C locale":
            env |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "COLUMNS": "1"}
        case "few handles":
            limits.append((resource.RLIMIT_NOFILE, 24))
        case "small files":
            limits.append((resource.RLIMIT_FSIZE, 20_000))
        case "little memory":
            limits.append((resource.RLIMIT_AS, 1 << 30))
        case "full disk":
            inner = 'mount -t tmpfs -o size=300k none out 2>/dev/null; exec "$@"'
            (folder / "out").mkdir(exist_ok=True)
            command = ["unshare", "-m", "sh", "-c", inner, "sh", *command]
        case "full disk here":
            size = 60_000 + sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
            inner = f'mount -t tmpfs -o size={size} none /mnt && cp -P * /mnt && cd /mnt && exec "$@"'
            command = ["unshare", "-m", "sh", "-c", inner, "sh", *command]
        case "jumping clock":
            env["PYTHONPATH"] = f"{folder.parent}/clock:{env['PYTHONPATH']}"
        case "broken part":
            env |= {"PYTHONPATH": f"{folder.parent}/plugin:{env['PYTHONPATH']}", "ATTACK_FAULT": case.fault}
        case "read only":
            inner = 'mount --bind . . && mount -o remount,ro,bind . && cd "$PWD"; exec "$@"'
            command = ["unshare", "-m", "sh", "-c", inner, "sh", *command]
        case "closed output":
            command = ["sh", "-c", 'exec "$@" >&- 2>&- <&-', "sh", *command]
        case "full output":
            command = ["sh", "-c", 'exec "$@" >/dev/full', "sh", *command]
        case "gone folder":
            command = ["sh", "-c", 'mkdir x && cd x && rmdir ../x; exec "$@"', "sh", *command]

    def before() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # this script may run under nohup
        for which, most in limits:
            resource.setrlimit(which, (most, most))

    return subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        preexec_fn=before,
    )


def _wait_for(process: subprocess.Popen[bytes], case: Case) -> str:
    """Wait for a process and return what is wrong with how it ended; empty if nothing is."""
    hung = False
    try:
        told, _ = process.communicate(timeout=LIMIT_S * (4 if case.words[0] in ("bench", "eval") else 1))
    except subprocess.TimeoutExpired:
        hung = True
        process.send_signal(signal.SIGABRT)
        told, _ = process.communicate()
    process.told = text = told.decode(errors="replace")  # type: ignore[attr-defined]
    if hung:
        return "hangs"
    if case.surroundings == "little memory" and ("MemoryError" in text or process.returncode in (-6, -9)):
        return ""  # native libraries end the process
    if "Traceback" in text or "internal error" in text:
        return "internal error"
    early = {-signal.SIGPIPE, -signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP} if case.signals else set()
    if process.returncode not in (*CODES, *early):
        return f"exit code {process.returncode}"
    if text.count("\nrtswap: ") + text.startswith("rtswap: ") > 1:
        return "more than one error"
    if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 > MOST_BYTES:
        return "memory"
    return ""


def check_outputs(folder: Path) -> list[str]:
    """What is wrong with the files that were written."""
    faults = []
    for path in folder.rglob("out*"):
        if (
            not path.is_file()
            or ".partial" in path.name
            or path.suffix not in (".mp4", ".mkv", ".webm", ".gif", ".png")
        ):
            continue
        frames = _frames(path)
        if not frames:
            faults.append(f"{path.name} does not play")
        for picture in frames:
            if picture.shape == (240, 240, 3) and _bare(picture):
                faults.append(f"bare face in {path.name}")
                break
    return faults


def _frames(path: Path) -> list[Any]:
    import av

    try:
        with av.open(str(path)) as container:
            return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    except (OSError, ValueError, av.FFmpegError):
        return []


def _bare(picture: Any) -> bool:
    apart = np.abs(picture[FACE].astype(float) - face_picture()[FACE].astype(float)).mean()
    return bool(apart < 4)


if __name__ == "__main__":
    sys.exit(main())
