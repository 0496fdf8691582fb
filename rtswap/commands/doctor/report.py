"""``rtswap doctor``: run the checks and print a table, with a fix for each missing item."""

from __future__ import annotations

from collections.abc import Sequence

from rtswap.app.console import Console, Shown
from rtswap.commands.doctor import checks
from rtswap.commands.doctor.checks import Check, Finding, State
from rtswap.commands.reports.table import table
from rtswap.core.errors import RtswapError, UsageError
from rtswap.core.files import sha256_of
from rtswap.core.isolation import pip_install
from rtswap.core.parts import FinishSpec, InputSpec, OutputSpec, SwapperSpec
from rtswap.core.plugins import plugin, plugin_names

_AGAIN = f"{pip_install('--force-reinstall .')} (in the folder with rtswap's source)"
"""No package index has rtswap."""
STYLES = {State.OK: "good", State.NOTE: "warn", State.MISSING: "bad"}


def examine(console: Console, steps: Sequence[Check] | None = None) -> int:
    """Print the report. Return 1 if something that a default run needs is missing, else 0."""
    findings = [finding for step in (default_steps() if steps is None else steps) for finding in carefully(step)]
    verdict = outputs_verdict(findings)
    if verdict is not None:
        findings.append(verdict)
    healthy = all(finding.state is not State.MISSING for finding in findings)
    rows = [{"name": f.name, "state": f.state.value, "found": f.found, "mend": f.mend} for f in findings]
    console.answer({"ok": healthy, "checks": rows}, *format_findings(findings))
    return 0 if healthy else 1


def carefully(step: Check) -> list[Finding]:
    """Run a check; a package that fails to import becomes a finding."""
    try:
        return step()
    except (ImportError, OSError) as error:
        name = step.__name__.removeprefix("check_").replace("_", " ").capitalize()
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return [Finding(name, State.MISSING, reason, mend_import(reason))]


def mend_import(reason: str) -> str:
    """Return the command that fixes a failed import: a missing system library such as ``libGL.so.1: cannot open
    shared object file``, or else a package."""
    if ".so" in reason and "cannot open shared object" in reason:
        return "sudo apt install libgl1 libglib2.0-0"
    return _AGAIN


def default_steps() -> list[Check]:
    """Return all checks in the order of the report."""
    return [
        checks.check_python,
        checks.check_processor,
        checks.check_gpu,
        checks.check_gpu_engines,
        checks.check_engines,
        check_choice,
        check_models,
        check_imported_models,
        check_plugins,
        check_plans,
        checks.check_codecs,
        checks.check_cameras,
        checks.check_virtual_camera,
        checks.check_display,
    ]


def check_models() -> list[Finding]:
    """Check the model cache and the networks in it. Damaged ones are rebuilt where possible."""
    from rtswap.networks.catalog import load_catalog
    from rtswap.networks.registry import Registry, cache_folder

    findings = checks.check_folder("Model cache", cache_folder())
    if findings[0].state is not State.OK:
        return findings
    events: list[str] = []
    registry = Registry(on_event=events.append)
    good: list[str] = []
    for entry in load_catalog().values():
        here = (registry.folder / entry.file_name).is_file() and not entry.url
        try:
            if entry.asset or here:
                registry.path(entry.name)
                good.append(entry.name)
        except RtswapError as error:
            findings.append(Finding("Models", State.MISSING, error.what, error.do or _AGAIN))
    mended = f" ({'; '.join(events)})" if events else ""
    found = f"intact: {', '.join(good)}{mended}" if good else "none yet; the first run creates them"
    return [*findings, Finding("Models", State.OK, found)]


def check_imported_models() -> list[Finding]:
    """Read the user's imported models, and say which are damaged."""
    from rtswap.networks.installed_models import list_installed, verify

    name, state = "Imported models", {model.name: verify(model) for model in list_installed()}
    good = ", ".join(model for model, damage in state.items() if not damage)
    damaged = [
        Finding(name, State.NOTE, f"{model}: {damage}", f"Run: rtswap models remove {model}, and add it again.")
        for model, damage in state.items()
        if damage
    ]
    return [*damaged, Finding(name, State.OK, good or "none; see rtswap models")]


def check_plugins() -> list[Finding]:
    """Load the parts of other packages, and say which cannot be."""
    from rtswap import swappers
    from rtswap.compositing import finishes
    from rtswap.media import inputs, outputs

    kinds = {
        "swapper": (swappers.GROUP, SwapperSpec),
        "finish": (finishes.GROUP, FinishSpec),
        "input": (inputs.GROUP, InputSpec),
        "output": (outputs.GROUP, OutputSpec),
    }
    good, broken = [], []
    for kind, (group, spec) in kinds.items():
        for name in plugin_names(group):
            try:
                plugin(group, name, spec)
                good.append(f"{kind} {name}")
            except UsageError as error:
                broken.append(Finding("Plugins", State.NOTE, str(error), "Update or uninstall the package."))
    return [*broken, Finding("Plugins", State.OK, ", ".join(good) or "none")]


def check_choice() -> list[Finding]:
    """Report the engine that ``--engine auto`` last chose, with its measurements."""
    from rtswap.engines.measurement import read_record
    from rtswap.networks.registry import cache_folder

    found = read_record(cache_folder() / "landmarks.engine.json")
    if found is None:
        return [Finding("--engine auto", State.OK, "no choice yet; the first run measures the engines")]
    return [Finding("--engine auto", State.OK, found.why)]


def check_plans() -> list[Finding]:
    """Check the TensorRT plans in the model cache."""
    from rtswap.engines.tensorrt.plan_store import plan_folder
    from rtswap.networks.catalog import imported_models, load_catalog
    from rtswap.networks.registry import Registry, cache_folder

    registry = Registry(on_event=lambda event: None)
    catalog = {**imported_models(), **load_catalog()}

    def hash_of(network: str) -> str:
        """SHA-256 of the cached file; a report builds and downloads nothing."""
        entry = catalog.get(network)
        if entry is None:
            return ""
        try:
            path = registry.path(network) if entry.asset else registry.folder / entry.file_name
            return sha256_of(path)
        except (RtswapError, OSError):
            return ""

    return checks.check_plans(plan_folder(cache_folder()), hash_of=hash_of)


def outputs_verdict(findings: Sequence[Finding]) -> Finding | None:
    """Return a MISSING finding if there is neither a virtual camera nor a window, which a default run needs."""
    states = {finding.name: finding.state for finding in findings}
    camera = [states.get("Virtual camera"), states.get("Virtual camera driver")]
    if None in (*camera, states.get("Preview window")):
        return None
    if all(state is State.OK for state in camera) or states["Preview window"] is State.OK:
        return None
    return Finding(
        "Default output",
        State.MISSING,
        "neither a virtual camera nor a preview window",
        "Fix one of the items above, or name an --output, such as -o out.mp4",
    )


def format_findings(findings: Sequence[Finding]) -> list[Shown]:
    """Format the findings as a table, with a line for each item that can be fixed."""
    rows = [((finding.state.value, STYLES[finding.state]), finding.name, finding.found) for finding in findings]
    parts: list[Shown] = [table(("!", "!what", "found"), rows)]
    if fixes := [f"  {finding.name}: {finding.mend}" for finding in findings if finding.mend]:
        parts += ["To fix:", *fixes, ""]
    if not any(finding.state is State.MISSING for finding in findings):
        parts.append("Ready: rtswap --source me.jpg")
    return parts
