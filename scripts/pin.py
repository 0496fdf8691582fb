"""Write requirements.txt and requirements-dev.txt: the installed versions of pyproject.toml's requirements and of
their dependencies. Run it in the environment in which the tests have passed: ``make pin``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
DEV_EXTRAS = ("vcam", "dev")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(wanted: Iterable[str]) -> dict[str, str]:
    """Return name -> installed version of the requirements and all their dependencies."""
    found: dict[str, str] = {}
    queue = [Requirement(line) for line in wanted]
    while queue:
        requirement = queue.pop()
        name = canonical(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        installed = distribution(requirement.name)
        found[name] = installed.version
        queue += [Requirement(line) for line in installed.requires or []]
    return found


def write(path: Path, heading: str, pins: dict[str, str]) -> None:
    lines = [f"# {heading}", "# Written by scripts/pin.py; change pyproject.toml, then run `make pin`."]
    lines += [f"{name}=={version}" for name, version in sorted(pins.items())]
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    default = closure(project["dependencies"])
    extras = [line for extra in DEV_EXTRAS for line in project["optional-dependencies"][extra]]
    dev = {name: version for name, version in closure(extras).items() if name not in default}
    write(ROOT / "requirements.txt", "What the default install, for a processor without GPU, uses.", default)
    write(ROOT / "requirements-dev.txt", "What the tests need besides.", dev)


if __name__ == "__main__":
    main()
