"""``rtswap doctor``: runs the checks, shows a table, and for each failed line the command that mends it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from rtswap.commands.doctor import checks
from rtswap.commands.doctor.checks import Check, Finding, State
from rtswap.core.errors import RtswapError

SHOWN = {State.OK: ("ok", "green"), State.NOTE: ("note", "yellow"), State.MISSING: ("missing", "bold red")}


def examine(*, as_json: bool = False, quiet: bool = False, steps: Sequence[Check] | None = None) -> int:
    """Print the report on stdout. Returns 0, or 1 where something that the default job needs is missing."""
    findings = [finding for step in (default_steps() if steps is None else steps) for finding in carefully(step)]
    verdict = outputs_verdict(findings)
    if verdict is not None:
        findings.append(verdict)
    if as_json:
        print(as_text(findings))
    elif not quiet:
        show(findings)
    return 1 if any(finding.state is State.MISSING for finding in findings) else 0


def carefully(step: Check) -> list[Finding]:
    """A check that needs a package which does not import is a finding as well."""
    try:
        return step()
    except (ImportError, OSError) as error:
        name = step.__name__.removeprefix("check_").replace("_", " ").capitalize()
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return [Finding(name, State.MISSING, reason, mend_import(reason))]


def mend_import(reason: str) -> str:
    """``libGL.so.1: cannot open shared object file``: a system library; anything else: a package."""
    if ".so" in reason and "cannot open shared object" in reason:
        return "sudo apt install libgl1 libglib2.0-0"
    return "pip install --force-reinstall rtswap"


def default_steps() -> list[Check]:
    return [
        checks.check_python,
        checks.check_processor,
        checks.check_gpu,
        checks.check_gpu_engines,
        checks.check_engines,
        check_choice,
        check_models,
        check_plans,
        checks.check_codecs,
        checks.check_cameras,
        checks.check_virtual_camera,
        checks.check_display,
    ]


def check_models() -> list[Finding]:
    """The folder where networks are kept, and those that lie there: damaged ones that can be made again are."""
    from rtswap.networks.catalog import shipped_catalog
    from rtswap.networks.registry import Registry, cache_folder

    findings = checks.check_folder("Model cache", cache_folder())
    if findings[0].state is not State.OK:
        return findings
    events: list[str] = []
    registry = Registry(on_event=events.append)
    good: list[str] = []
    for entry in shipped_catalog().values():
        here = (registry.folder / entry.file_name).is_file() and not entry.url
        try:
            if entry.asset or here:
                registry.path(entry.name)
                good.append(entry.name)
        except RtswapError as error:
            findings.append(
                Finding("Models", State.MISSING, error.what, error.do or "pip install --force-reinstall rtswap")
            )
    mended = f" ({'; '.join(events)})" if events else ""
    found = f"intact: {', '.join(good)}{mended}" if good else "none yet; they are made at the first run"
    return [*findings, Finding("Models", State.OK, found)]


def check_choice() -> list[Finding]:
    """Which engine ``--engine auto`` took when it last had to choose, and by which figures."""
    from rtswap.networks.registry import cache_folder

    try:
        found = json.loads((cache_folder() / "landmarks.engine.json").read_text("utf-8"))
        why = str(found["why"])
    except (OSError, ValueError, KeyError, TypeError):
        return [Finding("--engine auto", State.OK, "has not chosen yet; it measures at the first start")]
    return [Finding("--engine auto", State.OK, why)]


def check_plans() -> list[Finding]:
    """TensorRT's plans, in the folder where networks are kept."""
    from rtswap.engines.tensorrt.plan_store import plan_folder
    from rtswap.networks.catalog import shipped_catalog
    from rtswap.networks.registry import Registry, cache_folder

    registry = Registry(on_event=lambda event: None)
    catalog = shipped_catalog()

    def hash_of(network: str) -> str:
        """Of the file as it lies there: nothing is made or fetched for a report."""
        entry = catalog.get(network)
        if entry is None:
            return ""
        try:
            path = registry.path(network) if entry.asset else registry.folder / entry.file_name
            return hashlib.sha256(path.read_bytes()).hexdigest()
        except (RtswapError, OSError):
            return ""

    return checks.check_plans(plan_folder(cache_folder()), hash_of=hash_of)


def outputs_verdict(findings: Sequence[Finding]) -> Finding | None:
    """The default job needs a virtual camera or a window: missing only where there is neither."""
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
        "Mend one of the lines above, or name an --output, such as -o out.mp4",
    )


def as_text(findings: Sequence[Finding]) -> str:
    """The report as one JSON object."""
    rows = [{"name": f.name, "state": f.state.value, "found": f.found, "mend": f.mend} for f in findings]
    healthy = all(f.state is not State.MISSING for f in findings)
    return json.dumps({"ok": healthy, "checks": rows}, ensure_ascii=False, indent=2)


def show(findings: Sequence[Finding]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("", "what", "found"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        word, style = SHOWN[finding.state]
        table.add_row(Text(word, style), finding.name, Text(finding.found))
    console = Console(highlight=False)
    console.print(table)
    to_mend = [finding for finding in findings if finding.mend]
    for finding in to_mend:
        word, style = SHOWN[finding.state]
        console.print(Text.assemble((f"{finding.name}: ", style), finding.found), soft_wrap=True)
        console.print(Text(f"    {finding.mend}"), soft_wrap=True)
    if not any(finding.state is State.MISSING for finding in findings):
        console.print("Ready: rtswap --source me.jpg")
