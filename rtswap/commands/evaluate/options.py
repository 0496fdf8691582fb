"""The options of ``rtswap eval``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rtswap.app.config import OPTIONS, Config
from rtswap.app.networks import FaceModels
from rtswap.commands.evaluate.candidates import Candidate, ProgramSwapper, ResultFolder
from rtswap.commands.evaluate.clips import MOST_BYTES, Clip, make_clip, read_clip
from rtswap.commands.evaluate.pairs import Pair, pairs, pairs_of_results, persona_pictures, pictures_in
from rtswap.core.errors import InputError, UsageError

Event = Callable[[str], None]


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of one evaluation. Without any folder: the built-in personas, and a clip of one of them."""

    sources: Path | None = None
    targets: Path | None = None
    """None: same as the sources."""
    clips: Path | None = None
    """A folder of clips or one clip."""
    swapped: Path | None = None
    """Folder of another program's results, evaluated instead of ``--swapper``."""
    against: str | None = None
    """Name of a second swapper."""
    judge: Path | None = None
    """MediaPipe's face mesh as ONNX; None: rtswap's own landmark network judges."""
    pairs: int = 200
    seed: int = 7
    out: Path = Path("rtswap_eval")
    overwrite: bool = False
    use: Callable[[Path], bool] = lambda path: True
    """Filter for the photos of the folders."""

    def candidates(self) -> list[Pair]:
        """Return pairs of photos in the order to try them. Raises InputError."""
        firsts, seconds = self._photos(self.sources or self.targets), self._photos(self.targets or self.sources)
        if self.swapped is not None:
            return list(pairs_of_results(self.swapped, firsts, seconds, self.seed))
        found = pairs(firsts, seconds, self.seed)
        return [pair for _, pair in zip(range(2 * self.pairs + 100), found, strict=False)]

    def _photos(self, folder: Path | None) -> list[Path]:
        found = persona_pictures() if folder is None else pictures_in(folder)
        used = [path for path in found if self.use(path)]
        if not used:
            raise InputError(f"no usable picture in {folder}", expected="at least one")
        return used

    def footage(self, models: FaceModels, target: str, on_event: Event) -> Iterator[Clip]:
        """Yield the readable clips. ``target``: the persona of the generated clip."""
        if self.clips is None:
            if self.clip_count():
                yield make_clip(target, models, seconds=3.0, face_px=200, size=(640, 480))
            return
        for path in self.clip_files():
            try:
                yield read_clip(path, MOST_BYTES)
            except InputError as error:
                on_event(f"left out: {error}")

    def clip_count(self) -> int:
        """Return the number of clips. Raises InputError for an empty folder."""
        if self.clips is None:
            return 0 if self.sources or self.targets or self.swapped else 1
        return len(self.clip_files())

    def clip_files(self) -> list[Path]:
        """Return the clip files, sorted by name. Raises InputError if the folder has none."""
        if self.clips is None:
            return []
        if not self.clips.is_dir():
            return [self.clips]
        found = sorted(path for path in self.clips.iterdir() if path.is_file() and not path.name.startswith("."))
        if not found:
            raise InputError(f"no clip found in the folder {self.clips}")
        return found


def candidates(wanted: EvaluateOptions, config: Config, models: FaceModels) -> list[Candidate]:
    """Return one contender, or two for a comparison. Raises UsageError, ModelError."""
    found: list[Candidate] = []
    if wanted.swapped is not None:
        found.append(ResultFolder(wanted.swapped))
    else:
        found.append(ProgramSwapper(config, models))
    if wanted.against is not None:
        other = replace(config, swap=replace(config.swap, swapper=_swapper(wanted.against)))
        found.append(ProgramSwapper(other, models))
    if len({one.name for one in found}) < len(found):
        raise UsageError(f"{found[0].name} would be compared with itself", do="Change --swapper or --against.")
    return found


def _swapper(name: str) -> str:
    kind = next(row.kind for row in OPTIONS if row.key == "swap.swapper")
    try:
        kind.parse(name)
    except ValueError:
        raise UsageError("invalid --against", expected=kind.expected, got=name) from None
    return name
