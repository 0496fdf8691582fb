"""Run the swap loop: open the input and outputs, swap until the input ends, close everything."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.mapping import read_swap_rules
from rtswap.app.marking import Sign, make_signer, unmarked_reason
from rtswap.app.overwriting import refuse_losses
from rtswap.app.program import Event, Program
from rtswap.core.errors import ConfigError, InputError, OutputError, OutputExists
from rtswap.core.parts import PICTURES_FPS, InputRequest, OutputRequest
from rtswap.core.protocols import Input, Output
from rtswap.core.text import clock, plural
from rtswap.core.types import Frame, StreamInfo
from rtswap.core.urls import expanded, redact, scheme
from rtswap.media.excerpt import Excerpt
from rtswap.media.inputs import check_input, open_input
from rtswap.media.inputs.image import ImageInput
from rtswap.media.outputs import check_output, open_output
from rtswap.media.outputs.image import ImageOutput
from rtswap.media.tls import authorities
from rtswap.runtime.controls import Controls, Looks
from rtswap.runtime.metrics import Metrics, status_line
from rtswap.runtime.metrics_log import MetricsLog
from rtswap.runtime.pipeline import Pipeline

DEFAULT_SIZE, DEFAULT_FPS = (1280, 720), 30.0


MakeProgram = Callable[[Config, Event], Program]


def new_program(config: Config, on_event: Event) -> Program:
    """Return the program of a configuration, its source analysed, so that an unusable photo is reported before the
    camera light turns on. Asks for consent. Raises RtswapError."""
    program = Program(config, on_event=on_event, ask=True)
    program.swappers  # noqa: B018 - analyses the source
    return program


def share_program() -> MakeProgram:
    """Return a function that loads the networks and the source on its first call, for all files of a batch."""
    made: list[Program] = []

    def make(config: Config, on_event: Event) -> Program:
        made[:] = [made[0].again(config, on_event) if made else new_program(config, on_event)]
        return made[0]

    return make


def run(
    config: Config, console: Console, *, began_at: float | None = None, make_program: MakeProgram = new_program
) -> dict[str, Any]:
    """Swap until the input ends and return the summary. ``began_at``: on ``time.perf_counter``, when the run
    began; None for the start of the process, Python's included. ``make_program``: see
    ``share_program``. Raises RtswapError."""
    event = console.event
    began_at = _process_began_at() if began_at is None else began_at
    refuse_losses(config)
    if config.metrics.log:
        console.open_log(expanded(config.metrics.log))
    _check(config)
    program = make_program(config, event)
    input = _open_input(config, event)
    unswapped: list[str] = []
    """Pictures that are not written, since no face in them was swapped."""
    with ExitStack() as open_parts:
        open_parts.callback(input.close)
        photos = isinstance(input, ImageInput)
        pipeline = program.pipeline(photos=photos, live=input.info.live)
        open_parts.callback(pipeline.end)
        reason = unmarked_reason(config)
        metrics = Metrics(notes={"unmarked": reason} if reason else {})
        log = MetricsLog(expanded(config.metrics.file), metrics, warn=event) if config.metrics.file else None
        if log is not None:
            open_parts.callback(log.close)
        sign = make_signer(config, _file_of(config, input), event)
        controls = Controls(
            pipeline,
            _recorder(config, input.info, sign, event),
            metrics,
            looks=Looks(program.swappers, config.swap.expression, config.swap.strength),
            on_event=event,
        )
        outputs, window = _outputs(config, input.info, controls, sign, event)
        skipped = 0 if window else _leave_out_swapped(input, outputs, event)

        def tick() -> None:
            _show(console, metrics, input.info, len(unswapped))
            if log is not None:
                log.tick(time.perf_counter())

        def leave_out(frame: Frame) -> None:
            unswapped.append(str(frame.path))
            if input.info.frame_count != 1:
                event(f"not written: {unswapped[-1]}: no face was swapped in it")

        session = program.session(
            input,
            outputs,
            metrics=metrics,
            pipeline=pipeline,
            window=window,
            on_tick=tick,
            on_unswapped=leave_out if photos and not config.safety.pass_through else None,
        )
        controls.attach(session)
        open_parts.callback(console.finish)
        session.run()
        if session.completed and metrics.frames and not input.info.live:
            done = metrics.frames + len(unswapped)
            console.progress(done, done, status_line(metrics, live=False))
    _report(config, metrics, pipeline, unswapped, event)
    address, first_at = config.input.address, metrics.first_swap_at
    return metrics.summary() | {
        "input": redact(address) if scheme(address) else address,
        "live": input.info.live,
        "completed": session.completed,
        "not_written": unswapped,
        "skipped": skipped,
        "unreadable": input.skipped if isinstance(input, ImageInput) else 0,
        "recorded": controls.recorded,
        "start_to_first_swap_s": None if first_at is None else round(first_at - began_at, 3),
        "outputs": [output.name for output in [*outputs, *([window] if window else [])]],
    }


def _report(config: Config, metrics: Metrics, pipeline: Pipeline, unswapped: list[str], event: Event) -> None:
    """Say what was not done. Raises InputError if nothing was written."""
    unmet = pipeline.mapping.unmet
    for rule in (read_swap_rules(config)[number] for number in unmet):
        event(f"{rule}: nobody in the picture was recognised as {rule.person}")
    if unswapped and not metrics.frames:
        what = unswapped[0] if len(unswapped) == 1 else f"any of the {len(unswapped)} pictures"
        raise InputError(
            f"no face was swapped in {what}; nothing was written",
            do="Change --swap, or name a --source for everybody else."
            if unmet
            else "Use pictures in which a face is large enough and turned to the camera.",
        )
    if metrics.frames and metrics.first_swap_at is None:
        event(_why_none(metrics.failures, metrics.frames))


def _check(config: Config) -> None:
    """Raise for settings that contradict each other or name no input or output."""
    if config.output.crf is not None and config.output.bitrate is not None:
        raise ConfigError("--crf and --bitrate exclude each other", do="Remove one of them.")
    if config.input.duration_s == 0:
        raise ConfigError("--duration must be more than 0", got=clock(0, 1))
    if config.input.last_s <= config.input.start_s:
        got = f"{clock(config.input.start_s, 1)} and {clock(config.input.last_s, 1)}"
        raise ConfigError("--start must be before --end", got=got)
    if config.network.tls_ca is not None:
        authorities(config.network.tls_ca)
    check_input(config.input.address)
    wanted = config.output
    request = OutputRequest(codec=wanted.codec, crf=wanted.crf, bitrate=wanted.bitrate, overwrite=wanted.overwrite)
    for address in wanted.to:
        check_output(address, request)


def input_request(config: Config, event: Event) -> InputRequest:
    """How an input is to be opened."""
    wanted = config.input
    return InputRequest(
        size=wanted.size or DEFAULT_SIZE,
        fps=wanted.fps or DEFAULT_FPS,
        pictures_fps=wanted.fps or PICTURES_FPS,
        hwaccel=wanted.hwaccel,
        tls_ca=config.network.tls_ca,
        on_event=event,
    )


def _open_input(config: Config, event: Event) -> Input:
    wanted = config.input
    input = open_input(wanted.address, input_request(config, event))
    pictures = isinstance(input, ImageInput)
    if not input.info.live:
        given = {"--size": wanted.size, "--fps": None if pictures else wanted.fps}
        _say_ignored(given, "a file keeps its size and frame rate", event)
    if not wanted.start_s and math.isinf(wanted.last_s):
        return input
    if pictures:
        given = {"--start": wanted.start_s, "--end": wanted.end_s, "--duration": wanted.duration_s}
        _say_ignored(given, "pictures have no times", event)
        return input
    return Excerpt(input, wanted.start_s, wanted.last_s)


def _say_ignored(values: Mapping[str, object], why: str, event: Event) -> None:
    if flags := [flag for flag, value in values.items() if value]:
        event(f"{' and '.join(flags)} {'have' if flags[1:] else 'has'} no effect: {why}")


def _outputs(
    config: Config, info: StreamInfo, controls: Controls, sign: Sign, event: Event
) -> tuple[list[Output], Output | None]:
    """Open the outputs. Return the window separately, since it must run on the main thread."""
    wanted = list(config.output.to) or [_default_output()]

    request = replace(
        output_request(config, info, sign, event),
        audio_from=None if info.live else info.audio_path,
        with_sound=not config.output.no_audio,
        audio_start_s=info.audio_start_s,
        audio_end_s=info.audio_end_s,
        overwrite=config.output.overwrite,
        live=info.live,
        on_key=controls.press,
        paced=not info.live and set(wanted) == {"window"},
        overlay=controls.overlay,
    )
    outputs: list[Output] = []
    try:
        for address in wanted:
            outputs.append(open_output(address, request))
    except BaseException:
        for output in outputs:
            output.close()
        raise
    windows = [output for address, output in zip(wanted, outputs, strict=True) if address == "window"]
    return [output for output in outputs if output not in windows], windows[0] if windows else None


def _leave_out_swapped(input: Input, outputs: Sequence[Output], event: Event) -> int:
    """Leave out the pictures of a folder that every output has already, as after Ctrl-C, and return how many. Raises
    OutputExists if none is left."""
    folders = [output for output in outputs if isinstance(output, ImageOutput)]
    if not isinstance(input, ImageInput) or input.info.frame_count == 1 or len(folders) != len(outputs):
        return 0
    count = len(input.paths)
    kept = [{path for path in input.paths if folder.keeps(path)} for folder in folders]
    swapped = set.intersection(*kept)
    if len(swapped) == count:
        where = ", ".join(folder.name for folder in folders)
        raise OutputExists(f"all {count} pictures exist in {where}", do="Choose another folder, or add --overwrite.")
    if swapped:
        event(f"{len(swapped)} of {plural(count, 'picture')} skipped, since their outputs exist")
        input.leave_out(swapped)
    return len(swapped)


def _file_of(config: Config, input: Input) -> Path | None:
    """Return the input file; None for cameras, streams and folders."""
    path = expanded(config.input.address)
    return None if input.info.live or not path.is_file() else path


def _default_output() -> str:
    """Return the virtual camera if available, else the preview window. Raises OutputError with both reasons."""
    from rtswap.media.outputs import virtual_camera, window

    reasons = []
    for address, part in (("vcam", virtual_camera), ("window", window)):
        there, reason = part.available()
        if there:
            return address
        reasons.append(f"{address}: {reason}")
    raise OutputError(
        "no virtual camera and no screen for the preview window",
        got="; ".join(reasons),
        do="Name an output, such as -o out.mp4, or run `rtswap doctor` to see how to get a virtual camera.",
    )


def output_request(config: Config, info: StreamInfo, sign: Sign, event: Event) -> OutputRequest:
    """What outputs and recordings have in common."""
    output = config.output
    return OutputRequest(
        fps=info.fps,
        frames=info.frame_count,
        plays=info.plays,
        codec=output.codec,
        crf=output.crf,
        bitrate=output.bitrate,
        live_sound=None if output.no_audio else info.live_sound,
        tls_ca=config.network.tls_ca,
        sign=sign,
        on_event=event,
    )


def _recorder(config: Config, info: StreamInfo, sign: Sign, event: Event) -> Callable[[], Output]:
    """Return a function that opens a new recording, for the key r."""

    def record() -> Output:
        name = time.strftime("rtswap-%Y%m%d-%H%M%S.mp4")
        return open_output(name, replace(output_request(config, info, sign, event), live=True))

    return record


def _show(console: Console, metrics: Metrics, info: StreamInfo, left_out: int) -> None:
    line = status_line(metrics, live=info.live, stages=console.stats)
    if info.live:
        console.status(line)
    else:
        console.progress(metrics.frames + left_out, info.frame_count, line)


def _why_none(failures: int, frames: int) -> str:
    """Say why no frame shows a swap. ``failures``: frames in which a part failed."""
    if 2 * failures >= frames:
        return f"no face was swapped: something failed in {failures} of {plural(frames, 'frame')}, see above"
    return "no face was swapped in any frame: is a face in view, large enough and turned to the camera?"


def _process_began_at() -> float:
    """Return when the process began, on ``time.perf_counter``."""
    began: float = psutil.Process().create_time()
    return time.perf_counter() - time.time() + began
