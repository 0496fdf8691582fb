"""The checks of ``rtswap doctor``. Each one is a function that returns its findings.

A check changes and downloads nothing, and opens a camera only to read its modes.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from rtswap.core.errors import RtswapError, reason
from rtswap.core.files import make_writable
from rtswap.core.isolation import pip, pip_install, program
from rtswap.core.machine import package_version, processor_name
from rtswap.core.text import as_argument, plural

MIN_PYTHON = (3, 11)
MIN_FREE_BYTES = 500_000_000
LOOPBACK = 'sudo modprobe v4l2loopback exclusive_caps=1 card_label="rtswap"'


class State(Enum):
    """The result of a check."""

    OK = "ok"
    NOTE = "note"
    """An optional item is missing."""
    MISSING = "missing"
    """A default run, webcam to virtual camera or window, needs this item."""


class Finding(NamedTuple):
    """One line of the report."""

    name: str
    state: State
    found: str
    mend: str = ""
    """The command or sentence that fixes it."""


Check = Callable[[], list[Finding]]


def check_python() -> list[Finding]:
    """Check the Python version and report the system."""
    good = sys.version_info >= MIN_PYTHON
    what = f"{platform.python_version()}, {platform.system()} {platform.release()}, {platform.machine()}"
    return [
        Finding("Python", State.OK if good else State.MISSING, what, "" if good else "Install Python 3.11 or newer.")
    ]


def check_processor() -> list[Finding]:
    """Report the CPU's name, threads and memory."""
    import psutil

    memory_gib = psutil.virtual_memory().total / 2**30
    return [Finding("CPU", State.OK, f"{processor_name()}, {os.cpu_count()} threads, {memory_gib:.0f} GiB memory")]


def check_cameras() -> list[Finding]:
    """List the usable cameras."""
    from rtswap.media.cameras import list_cameras

    try:
        cameras = list_cameras()
    except RtswapError as error:
        return [Finding("Cameras", State.MISSING, str(error), _camera_mend(platform.system()))]
    if not cameras:
        return [Finding("Cameras", State.MISSING, "none found", _camera_mend(platform.system()))]
    return [Finding("Cameras", State.OK, "; ".join(str(camera).splitlines()[0] for camera in cameras))]


def check_virtual_camera(
    *, system: str = platform.system(), sys_folder: Path = Path("/sys"), package: bool | None = None
) -> list[Finding]:
    """Check pyvirtualcam and the virtual camera driver. Both are optional if there is a display."""
    has_package = importlib.util.find_spec("pyvirtualcam") is not None if package is None else package
    findings = [
        Finding("Virtual camera", State.OK, "package pyvirtualcam installed")
        if has_package
        else Finding(
            "Virtual camera", State.NOTE, "package pyvirtualcam (GPL-2.0) not installed", pip_install("pyvirtualcam")
        )
    ]
    findings.append(_loopback(sys_folder / "module/v4l2loopback") if system == "Linux" else _obs(system))
    return findings


def _loopback(module: Path) -> Finding:
    name = "Virtual camera driver"
    if not module.is_dir():
        mend = LOOPBACK
        if shutil.which("modinfo") and not _output(["modinfo", "v4l2loopback"]):
            mend = f"sudo apt install v4l2loopback-dkms && {LOOPBACK}"
        return Finding(name, State.NOTE, "v4l2loopback is not loaded", mend)
    try:
        caps = (module / "parameters/exclusive_caps").read_text().strip()
    except OSError:
        return Finding(name, State.NOTE, "v4l2loopback is loaded; exclusive_caps cannot be read")
    if "Y" not in caps and "1" not in caps:
        found = "v4l2loopback without exclusive_caps: browsers do not list the camera"
        return Finding(name, State.NOTE, found, f"sudo modprobe -r v4l2loopback && {LOOPBACK}")
    return Finding(name, State.OK, "v4l2loopback, exclusive_caps on")


def _obs(system: str) -> Finding:
    places = {
        "Darwin": Path("/Applications/OBS.app"),
        "Windows": Path(os.environ.get("PROGRAMFILES", r"C:\Program Files")) / "obs-studio",
    }
    place = places.get(system)
    if place is not None and place.exists():
        return Finding("Virtual camera driver", State.OK, "OBS Studio is installed")
    mend = "brew install --cask obs" if system == "Darwin" else "winget install OBSProject.OBSStudio"
    return Finding(
        "Virtual camera driver", State.NOTE, "OBS Studio, which provides the virtual camera, not found", mend
    )


def check_display(*, system: str = platform.system(), environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Check for a display and an OpenCV with window support."""
    import cv2

    gui = next((line for line in cv2.getBuildInformation().splitlines() if line.strip().startswith("GUI:")), "")
    if "NONE" in gui:
        mend = f"{pip('uninstall -y opencv-python-headless')} && {pip_install('--force-reinstall opencv-python')}"
        return [Finding("Preview window", State.NOTE, "this OpenCV was built without window support", mend)]
    if system == "Linux" and not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        mend = "Run in a desktop session, or name an --output."
        return [Finding("Preview window", State.NOTE, "no display", mend)]
    return [Finding("Preview window", State.OK, " ".join(gui.split()[1:]) or "available")]


def check_engines() -> list[Finding]:
    """Check the CPU engines, of which at least one is needed; report why any fails to import."""
    findings = [_engine("OpenVINO", "openvino"), _engine("ONNX Runtime", "onnxruntime")]
    if not any(finding.state is State.OK for finding in findings):
        findings.append(Finding("Engines", State.MISSING, "no engine found", pip_install("openvino onnxruntime")))
    return findings


def _engine(title: str, module: str) -> Finding:
    from rtswap.engines.telemetry import no_telemetry

    try:
        with no_telemetry():
            version = importlib.import_module(module).__version__
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        found = f"{type(error).__name__}: {reason(error)}"
        return Finding(title, State.NOTE, found, pip_install(f"--force-reinstall {module}"))
    return Finding(title, State.OK, str(version).split("-")[0])


def check_gpu() -> list[Finding]:
    """Report the GPUs by the driver's names, and the driver version if nvidia-smi reports it."""
    from rtswap.gpu.driver import find_gpus

    try:
        gpus = find_gpus()
    except RtswapError as error:
        return [Finding("GPU", State.OK, f"no usable GPU: {error}; networks run on the CPU")]
    driver = _output(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]).splitlines()
    version = f"; driver {driver[0].strip()}" if driver else ""
    return [Finding("GPU", State.OK, f"{'; '.join(map(str, gpus))}{version}")]


def check_gpu_engines(*, has_gpu: bool | None = None) -> list[Finding]:
    """Report which GPU engines run and why the others do not. Without a GPU import nothing: torch is slow."""
    from rtswap.engines.starting import ON_GPU, why_no_gpu

    without = why_no_gpu() if has_gpu is None else "" if has_gpu else "no GPU found"
    if without:
        builder = package_version("tensorrt_rtx")
        note = f"; tensorrt_rtx {builder} can build plans for other machines" if builder else ""
        return [Finding("Engines for a GPU", State.NOTE, f"{' and '.join(ON_GPU)} do not run: {without}{note}")]
    torch, tensorrt = _torch_finding(), _tensorrt_finding()
    if torch.state is not State.OK and tensorrt.state is State.OK:
        found = f"{tensorrt.found}, but torch, which manages its memory, is missing"
        tensorrt = Finding(tensorrt.name, State.NOTE, found)
    return [torch, tensorrt]


def _torch_finding() -> Finding:
    from rtswap.gpu.card import find_card, load_torch

    try:
        torch = load_torch()
        card = find_card(torch)
    except RtswapError as error:
        return Finding("Engine torch-cuda", State.NOTE, str(error), error.do)
    return Finding("Engine torch-cuda", State.OK, f"torch {torch.__version__} on {card.model}")


def _tensorrt_finding() -> Finding:
    from rtswap.engines.tensorrt.module import load_tensorrt, load_tensorrt_for
    from rtswap.gpu.driver import find_gpus

    name = "Engine tensorrt"
    try:
        capability = find_gpus()[0].capability
    except RtswapError:
        capability = ""
    try:
        found = load_tensorrt_for(capability) if capability else load_tensorrt()
    except RtswapError as error:
        return Finding(name, State.NOTE, str(error), error.do)
    if capability and not found.serves(capability):
        refusal = f"{found.refusal(capability)}, but on {', '.join(found.targets)} and newer"
        return Finding(name, State.NOTE, refusal, f"Use --engine torch-cuda, or try: {pip_install('tensorrt')}")
    return Finding(name, State.OK, f"{found.name} {found.version}")


def check_plans(folder: Path, *, hash_of: Callable[[str], str] = lambda network: "") -> list[Finding]:
    """Report the TensorRT plans in ``folder``: networks, size, and which are unusable. ``hash_of`` returns the
    current SHA-256 of a network, empty for an unknown one."""
    from rtswap.engines.tensorrt.plan_store import PlanCache

    name, stored = "TensorRT plans", list(PlanCache(folder).stored())
    if not stored:
        return [Finding(name, State.OK, "none; built on first use with a GPU, or by: rtswap build")]
    size = sum(one.bytes for one in stored) + sum(path.stat().st_size for path in folder.glob("*.kernels"))
    good = [one.manifest for one in stored if one.manifest is not None]
    held = ", ".join(sorted({f"{one.network} {one.recipe.precision}" for one in good})) or "none usable"
    parts = [f"{plural(len(stored), 'plan')}, {size / 1e6:.0f} MB in {folder}: {held}"]
    if len(good) < len(stored):
        parts.append(f"{len(stored) - len(good)} without a readable manifest")
    old = [
        f"{one.network} by {one.module} {one.version}" for one in good if one.version != package_version(one.module)
    ]
    if old:
        parts.append(f"built by a version that is not installed: {', '.join(old)}")
    changed = sorted({one.network for one in good if hash_of(one.network) not in ("", one.onnx_sha256)})
    if changed:
        parts.append(f"built from an older network file: {', '.join(changed)}")
    if len(parts) == 1:
        return [Finding(name, State.OK, parts[0])]
    return [Finding(name, State.NOTE, "; ".join(parts), "rtswap build --force")]


def check_codecs() -> list[Finding]:
    """Check the encoders of the default file format and the decoders for files from cameras and phones."""
    import av

    def missing(names: tuple[str, ...], mode: str) -> list[str]:
        absent = []
        for name in names:
            try:
                av.codec.Codec(name, mode)  # type: ignore[arg-type]
            except ValueError:
                absent.append(name)
        return absent

    lost = missing(("libx264", "aac"), "w") + missing(("h264", "hevc", "vp9", "mjpeg", "aac"), "r")
    if lost:
        mend = pip_install("--force-reinstall --only-binary :all: av")
        return [Finding("Codecs", State.NOTE, f"PyAV {av.__version__} without {', '.join(lost)}", mend)]
    return [Finding("Codecs", State.OK, f"PyAV {av.__version__}: H.264 and AAC in and out; HEVC, VP9, MJPEG in")]


def check_folder(name: str, folder: Path) -> list[Finding]:
    """Check that ``folder`` is writable and has enough free space."""
    try:
        make_writable(folder)
    except OSError as error:
        found = f"{folder} cannot be written: {reason(error)}"
        return [Finding(name, State.MISSING, found, _folder_mend(folder, error))]
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        return [Finding(name, State.MISSING, f"{folder}: {free / 1e6:.0f} MB free", "Free 500 MB on that disk.")]
    return [Finding(name, State.OK, f"{folder}, {free / 1e9:.0f} GB free")]


def _folder_mend(folder: Path, error: OSError) -> str:
    if not isinstance(error, PermissionError):
        return "Set RTSWAP_CACHE to a writable folder."
    if os.name != "posix":
        return f"Allow writing to {folder}."
    return f"mkdir -p {as_argument(folder)} && chmod u+rwx {as_argument(folder)}"


def _camera_mend(system: str) -> str:
    if system == "Linux":
        if any(Path("/dev").glob("video*")):
            return "sudo usermod -aG video $USER, then log in again"
        return "Plug in a camera; `ls /dev/video*` must list it."
    if system == "Darwin":
        return "Allow the terminal to use the camera: System Settings, Privacy & Security, Camera"
    return "Allow desktop apps to use the camera: Settings, Privacy & security, Camera"


def _output(command: list[str]) -> str:
    """Return the command's output; empty if it is not installed, fails or takes more than 10 s."""
    place = program(command[0])
    if place is None:
        return ""
    try:
        done = subprocess.run([place, *command[1:]], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
