"""The rules of docs/house.md, checked on the syntax tree. Each rule is tested on code that breaks it."""

from __future__ import annotations

import ast

import pytest
from house_rules import (
    ONE_FILE_EACH,
    ROOMY,
    RULES,
    TRAINING,
    Rule,
    marked_by_disclosure_only,
    points_inwards,
    small,
    threads_where_they_belong,
)
from paths import ROOT
from processes import run_python
from syntax_trees import imports, program


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Rule) -> None:
    broken = [f"{path}: {what}" for path, tree in program().items() for what in rule(path, tree)]
    assert not broken, "\n" + "\n".join(broken)


def test_tests_are_small_too() -> None:
    paths = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").rglob("*.py"))]
    assert len(paths) > 20
    broken = [f"{path}: {what}" for path in paths for what in small(path, ast.Module([], []))]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(("rule", "bad"), RULES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_rule_notices(rule: Rule, bad: tuple[str, str]) -> None:
    path, text = bad
    assert list(rule(path, ast.parse(text)))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("rtswap/core/types.py", "from rtswap.runtime import pipeline"),
        ("rtswap/runtime/pipeline.py", "from rtswap.app.config import Config"),
        ("rtswap/swappers/mesh/swapper.py", "def f():\n    import rtswap.media.inputs"),
        ("rtswap/media/inputs/bad.py", "from . import camera"),
        ("rtswap/somewhere.py", "x = 1"),
        ("rtswap/app/bad.py", "from rtswap import eyes"),
    ],
)
def test_direction_rule_notices(path: str, text: str) -> None:
    assert list(points_inwards(path, ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "StampedImage(image)",
        "def f(image):\n    return types.StampedImage(image)",
        "from rtswap.core.types import MarkedImage as M",
    ],
)
@pytest.mark.parametrize("path", ["rtswap/compositing/canvas/gpu.py", "rtswap/disclosure/badge.py", "scripts/bad.py"])
def test_marking_rule_notices(path: str, text: str) -> None:
    assert list(marked_by_disclosure_only(path, ast.parse(text)))


@pytest.mark.parametrize(
    "text", ["import threading\nthreading.Thread(target=f)", "from concurrent.futures import wait"]
)
def test_thread_rule_notices(text: str) -> None:
    assert list(threads_where_they_belong("rtswap/media/outputs/bad.py", ast.parse(text)))
    assert not list(
        threads_where_they_belong("rtswap/media/outputs/good.py", ast.parse("import threading\nthreading.Lock()"))
    )


def users_of(package: str, files: dict[str, ast.Module]) -> list[str]:
    """The files of the package rtswap that import it."""
    return [
        path
        for path, tree in files.items()
        if path.startswith("rtswap/")
        and not (package == "torch" and path.startswith(TRAINING))
        and any(name.split(".")[0] == package for _, name in imports(tree))
    ]


@pytest.mark.parametrize("package", ONE_FILE_EACH)
def test_exchangeable_package_is_known_to_one_file(package: str) -> None:
    users = users_of(package, program())
    assert len(users) <= ROOMY.get(package, 1), f"ask the file that imports {package} already: {users}"
    another = {"rtswap/media/bad.py": ast.parse(f"def f():\n    import {package}")}
    assert len(users_of(package, program() | another)) > len(users)


def test_program_was_found() -> None:
    assert "rtswap/core/types.py" in program()
    assert len(program()) > 20


WATCHED_HELP = """
import sys

HEAVY = {'numpy', 'cv2', 'av', 'openvino', 'onnxruntime', 'rich', 'matplotlib', 'asyncio'}

class Watch:
    def find_spec(self, name, *others):
        if name in HEAVY:
            frame, files = sys._getframe(1), []
            while frame is not None:
                files.append(frame.f_code.co_filename)
                frame = frame.f_back
            print('HEAVY', name, 'by', ' < '.join(dict.fromkeys(file for file in files if 'rtswap' in file)))

sys.meta_path.insert(0, Watch())
from rtswap.commands.main import main
try:
    main(['--help'])
finally:
    if HEAVY & set(sys.modules):
        print('HEAVY', HEAVY & set(sys.modules))
"""


def test_nothing_heavy_is_imported_for_the_help() -> None:
    found = [line for line in run_python(WATCHED_HELP).stdout.splitlines() if line.startswith("HEAVY")]
    assert not found, "import it where it is used; for a swapper, in or below `build`:\n" + "\n".join(found)
