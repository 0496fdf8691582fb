"""List the sub-commands. ``rtswap`` without a sub-command runs the swap loop."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rtswap.commands.bench.command import COMMAND as BENCH
from rtswap.commands.build.command import COMMAND as BUILD
from rtswap.commands.cameras import COMMAND as CAMERAS
from rtswap.commands.command import Command
from rtswap.commands.completion import completion_command
from rtswap.commands.config import COMMAND as CONFIG
from rtswap.commands.doctor.command import COMMAND as DOCTOR
from rtswap.commands.evaluate.command import COMMAND as EVALUATE
from rtswap.commands.extract.command import COMMAND as EXTRACT
from rtswap.commands.forget.command import COMMAND as FORGET
from rtswap.commands.inspect.command import COMMAND as INSPECT
from rtswap.commands.models.command import COMMAND as MODELS
from rtswap.commands.personas.command import COMMAND as PERSONAS
from rtswap.commands.run import run_command
from rtswap.commands.studio import COMMAND as STUDIO
from rtswap.commands.train.command import COMMAND as TRAIN
from rtswap.commands.verify.command import COMMAND as VERIFY

LISTED = (
    STUDIO,
    PERSONAS,
    MODELS,
    CAMERAS,
    DOCTOR,
    CONFIG,
    BENCH,
    INSPECT,
    EXTRACT,
    TRAIN,
    EVALUATE,
    VERIFY,
    FORGET,
    BUILD,
    completion_command(lambda: COMMANDS),
)
"""All sub-commands in the order of ``rtswap --help``."""

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {"": run_command(lambda: LISTED)} | {command.name: command for command in LISTED}
)
"""Name -> command; the empty name is the swap loop."""
