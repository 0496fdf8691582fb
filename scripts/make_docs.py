"""Write what the program itself knows into docs/: the flags (usage.md) and the licences (dependencies.md).

Run it with ``make docs`` after a change of a setting or a pin; a test fails while it is due.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path

from rtswap.config import OPTIONS, SECTIONS
from rtswap.flags import title_of
from rtswap.options import Option

ROOT = Path(__file__).resolve().parent.parent
USAGE = ROOT / "docs" / "usage.md"
DEPENDENCIES = ROOT / "docs" / "dependencies.md"
BLOCK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def usage(text: str) -> str:
    """``text`` with its ``flags`` and ``toml`` blocks written anew."""
    return fill(text, {"flags": flags_block(), "toml": toml_block()})


def dependencies(text: str) -> str:
    """``text`` with its ``default`` and ``dev`` blocks written anew."""
    return fill(
        text,
        {"default": licences(ROOT / "requirements.txt"), "dev": licences(ROOT / "requirements-dev.txt")},
    )


def fill(text: str, blocks: dict[str, str]) -> str:
    """Replace what lies between ``<!-- name -->`` and ``<!-- /name -->``."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{blocks[found[2]]}\n{found[3]}", text)


def flags_block() -> str:
    lines: list[str] = []
    for section in SECTIONS:
        lines += [f"### {title_of(section)}", "", "| flag | what it does | default |", "|---|---|---|"]
        for row in OPTIONS:
            if row.section == section and row.flags:
                lines.append(f"| {names(row.flags, row.kind.metavar)} | {row.help} | {default(row)} |")
                lines += [f"| {names((flag,), kind.metavar)} | {text} | |" for flag, kind, text in row.also]
        lines.append("")
    return "\n".join(lines)


def toml_block() -> str:
    lines = ["| key | flag | what it takes |", "|---|---|---|"]
    for row in OPTIONS:
        takes = f"a list, each {row.kind.expected}" if row.kind.many else row.kind.expected
        flag = f"`{row.flags[0]}`" if row.flags else ""
        lines.append(f"| `{row.key}` | {flag} | {takes} |")
    return "\n".join(lines) + "\n"


def names(flags: tuple[str, ...], metavar: str) -> str:
    shown = ", ".join(f"`{flag}`" for flag in flags)
    return f"{shown} `{metavar}`".replace("|", "\\|") if metavar else shown


def default(row: Option) -> str:
    return "" if row.kind.switch or row.default in (None, ()) else f"`{row.kind.to_toml(row.default).strip(chr(34))}`"


def licences(pins: Path) -> str:
    lines = ["| package | version | licence |", "|---|---|---|"]
    for line in pins.read_text().splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            lines.append(f"| {name} | {version} | {licence(metadata(name))} |")
    return "\n".join(lines) + "\n"


def licence(package: PackageMetadata) -> str:
    """What the package says of itself: SPDX expression, else classifier, else the start of its licence field."""
    if expression := package.get("License-Expression"):
        return expression
    classifiers = [line for line in package.get_all("Classifier") or [] if line.startswith("License ::")]
    if classifiers:
        return " and ".join(line.rsplit(" :: ", 1)[1] for line in classifiers)
    return (package.get("License") or "not stated").splitlines()[0][:60]


def main() -> None:
    for path, write in ((USAGE, usage), (DEPENDENCIES, dependencies)):
        path.write_text(write(path.read_text()))
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
