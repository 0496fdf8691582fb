"""Where the parts are put together: the only module that names concrete classes and chooses among them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import psutil

from rtswap.app.config import Config
from rtswap.app.console import Console
from rtswap.app.gpu_parts import (
    gpu_finishes,
    gpu_mesh_model,
    gpu_refiner_model,
    gpu_renderer,
    why_on_host,
    works_on_gpu,
)
from rtswap.app.mapping import make_mapping, photos_of_sources, read_swap_rules
from rtswap.app.marking import Sign, confirm_sources, make_disclosure, make_signer, unmarked_because
from rtswap.app.networks import FaceModels, open_models
from rtswap.compositing.canvas.host import HostCanvas
from rtswap.compositing.renderer import HostRenderer
from rtswap.core.errors import OutputError
from rtswap.core.protocols import Detector, Finish, GpuSwapper, Input, Output, Renderer, Stamp, SwapModel, Swapper
from rtswap.core.types import SourceIdentity, StreamInfo
from rtswap.disclosure import Disclosure
from rtswap.media.inputs import open_input
from rtswap.media.outputs import open_output
from rtswap.runtime.budget import Budget
from rtswap.runtime.controls import Controls
from rtswap.runtime.mapping import Mapping
from rtswap.runtime.metrics import Metrics, MetricsLog, Spans, status_line
from rtswap.runtime.pipeline import Pipeline, Policy
from rtswap.runtime.session import Session
from rtswap.source import load_source
from rtswap.tracking.tracker import FaceTracker

Event = Callable[[str], None]
DEFAULT_SIZE, DEFAULT_FPS = (1280, 720), 30.0
OCCLUSION_EVERY_S = 0.06
"""Live, every second frame at 30 frames per second, every fourth at 60, is asked what hides the face."""
SLOW = ("--color idt", "--color sot", "--blend poisson")
"""More than 10 ms per face."""


def run(config: Config, console: Console) -> dict[str, Any]:
    """The main job, from an opened input to closed outputs; returns the summary. Raises RtswapError."""
    event = console.event
    disclosure = make_disclosure(config, event)
    confirm_sources(config, event)
    models = open_models(config, on_event=event)
    swappers = bind_sources(config, models, on_event=event)
    input = open_input(
        config.input.address,
        size=config.input.size or DEFAULT_SIZE,
        fps=config.input.fps or DEFAULT_FPS,
        hwaccel=config.input.hwaccel,
        on_event=event,
    )
    with ExitStack() as open_parts:
        open_parts.callback(input.close)
        photos = _is_photos(input)
        mapping = make_mapping(config, models, on_event=event, photos=photos)
        pipeline = make_pipeline(
            config,
            models,
            swappers,
            on_event=event,
            photos=photos,
            live=input.info.live,
            disclosure=disclosure,
            mapping=mapping,
        )
        reason = unmarked_because(config)
        metrics = Metrics(notes={"unmarked": reason} if reason else {})
        log = MetricsLog(config.metrics.file, metrics, warn=event) if config.metrics.file else None
        if log is not None:
            open_parts.callback(log.close)
        sign = make_signer(config, _file_of(config, input), event)
        controls = Controls(pipeline, _recorder(config, input.info, sign, event), metrics, on_event=event)
        outputs, window = _outputs(config, input.info, controls, sign, event)

        def tick() -> None:
            _show(console, metrics, input.info)
            if log is not None:
                log.tick(time.perf_counter())

        live_budget = config.budget.target_s > 0 and input.info.live
        session = Session(
            input,
            pipeline,
            disclosure,
            outputs,
            metrics=metrics,
            quality_budget=Budget(config.budget.target_s) if live_budget else None,
            window=window,
            on_tick=tick,
            on_event=event,
        )
        controls.attach(session)
        open_parts.callback(console.finish)
        session.run()
    rules = read_swap_rules(config)
    for number in mapping.unmet:
        event(f"{rules[number]}: nobody in the picture was taken for {rules[number].person}")
    if metrics.frames and metrics.first_swap_at is None:
        event("no face was swapped in any frame: was a face in sight, large enough and facing the camera?")
    return metrics.summary() | {
        "start_to_first_swap_s": _since_start(metrics.first_swap_at),
        "outputs": [output.name for output in [*outputs, *([window] if window else [])]],
    }


def bind_sources(config: Config, models: FaceModels, *, on_event: Event) -> list[Swapper]:
    """A swapper for each source, in the order of ``photos_of_sources``, bound before the first frame. Raises
    SourceError, ConfigError."""
    model = make_swap_model(config, models)
    return [model.bind(_source(config, photos, models, on_event)) for photos in photos_of_sources(config)]


def make_swap_model(config: Config, models: FaceModels) -> SwapModel:
    from rtswap.swappers.mesh.swapper import MeshSwapModel

    def mesh() -> SwapModel:
        masks = config.mask.masks
        model = MeshSwapModel(
            expression=config.swap.expression,
            strength=config.swap.strength,
            light=config.swap.color == "light",
            hull="hull" in masks,
            skin="skin" in masks,
            delight=config.swap.delight,
            occlusion_model=models.occlusion_model,
        )
        return gpu_mesh_model(model) if works_on_gpu(config, models) else model

    def one() -> SwapModel:
        from rtswap.swappers.refiner.swapper import RefinerSwapModel

        make = gpu_refiner_model if works_on_gpu(config, models) else RefinerSwapModel
        return make(mesh(), *models.generator(config.swap.swapper))

    builders: dict[str, Callable[[], SwapModel]] = {"mesh": mesh, "one": one, "one-256": one}
    return builders[config.swap.swapper]()


def make_finishes(config: Config, models: FaceModels, *, on_event: Event, live: bool) -> list[Finish]:
    """The steps between swap and paste, in the order in which they depend on each other: where the swap shows, then
    its colours there, then its sharpness, then its seam."""
    finishes: list[Finish] = []
    swap, mask = config.swap, config.mask
    if models.occlusion_model is not None and "occlusion" in mask.masks:
        from rtswap.compositing.finishes.occlusion import OcclusionMask

        finishes.append(OcclusionMask(models.occlusion_model, every_s=OCCLUSION_EVERY_S if live else 0.0))
    if mask_is_partial(config):
        from rtswap.compositing.finishes.parts import PartsMask

        finishes.append(PartsMask(mask.parts, mask.keep))
    if swap.color not in ("light", "none"):
        from rtswap.compositing.finishes.color import ColorMatch

        finishes.append(ColorMatch(swap.color))
    if swap.detail == "match":
        from rtswap.compositing.finishes.detail import MatchDetail

        finishes.append(MatchDetail())
    if swap.blend == "poisson":
        from rtswap.compositing.finishes.poisson import PoissonBlend

        finishes.append(PoissonBlend())
    slow = [word for word in (f"--color {swap.color}", f"--blend {swap.blend}") if word in SLOW]
    if live and slow:
        on_event(f"{' and '.join(slow)} takes long: good for files, but a live picture will stutter")
    return finishes


def mask_is_partial(config: Config) -> bool:
    """Does the user want parts of the target's own face to show?"""
    return bool(config.mask.keep) or "all" not in config.mask.parts


def make_pipeline(
    config: Config,
    models: FaceModels,
    swappers: Sequence[Swapper],
    *,
    on_event: Event,
    spans: Spans | None = None,
    photos: bool = False,
    live: bool = True,
    disclosure: Disclosure | None = None,
    mapping: Mapping | None = None,
) -> Pipeline:
    """``photos``: the frames are single pictures, in which small faces count and time does not. ``live``: frames come
    whether there is time or not. ``disclosure``: whose stamp marks the pictures; without one they are for looking at
    alone, and can never leave. ``mapping``: who gets whose face; without it everybody the first swapper's."""
    detector = models.photo_detector if photos else models.detector
    tracker = make_tracker(config, detector, models, all_people=mapping is not None and mapping.assigned)
    safety = config.safety
    policy = Policy(safety.on_failure, safety.empty_after_s, safety.pass_through)
    stamp = (disclosure or Disclosure(None)).stamp
    renderer = make_renderer(config, models, swappers, on_event=on_event, live=live, stamp=stamp)
    mapping = mapping or Mapping(choices=len(swappers))
    return Pipeline(tracker, renderer, policy=policy, on_event=on_event, mapping=mapping, spans=spans)


def make_renderer(
    config: Config,
    models: FaceModels,
    swappers: Sequence[Swapper],
    *,
    on_event: Event,
    live: bool,
    stamp: Stamp,
) -> Renderer:
    """On the GPU where the networks are, if the swappers are, too; else in host memory, and why is told."""
    partial = mask_is_partial(config)
    on_device = [swapper for swapper in swappers if isinstance(swapper, GpuSwapper)]
    if works_on_gpu(config, models) and len(on_device) == len(swappers):
        every_s = OCCLUSION_EVERY_S if live else 0.0
        finishes = gpu_finishes(config, models, partial=partial, every_s=every_s)
        return gpu_renderer(on_device, finishes, partial=partial, stamp=stamp)
    if reason := why_on_host(config, models):
        on_event(f"networks run on the GPU, but frames stay on the processor: {reason}")
    steps = make_finishes(config, models, on_event=on_event, live=live)
    return HostRenderer(swappers, canvas=HostCanvas, stamp=stamp, finishes=steps, partial=partial)


def make_tracker(config: Config, detector: Detector, models: FaceModels, *, all_people: bool = False) -> FaceTracker:
    """``all_people``: whatever ``--faces`` says."""
    faces: Literal["one", "all"] = "one" if config.tracking.faces == "one" and not all_people else "all"
    return FaceTracker(detector, models.landmarks, faces=faces, recogniser=models.recogniser)


def _source(config: Config, photos: Sequence[str], models: FaceModels, on_event: Event) -> SourceIdentity:
    paths = [Path(photo).expanduser() for photo in photos]
    several = len(paths) > 1 or any(path.is_dir() for path in paths)
    return load_source(
        paths,
        detector=models.photo_detector,
        landmarks=models.landmarks,
        embedder=models.embedder() if several else None,
        face_index=config.source.face or None,
        on_event=on_event,
    )


def _outputs(
    config: Config, info: StreamInfo, controls: Controls, sign: Sign, event: Event
) -> tuple[list[Output], Output | None]:
    """Everything to send to; the window apart, since the main thread must serve it."""
    wanted = list(config.output.to) or [_default_output(info)]

    def opened(address: str) -> Output:
        return open_output(
            address,
            fps=info.fps,
            codec=config.output.codec,
            audio_from=None if info.live else info.audio_path,
            overwrite=config.output.overwrite,
            live=info.live,
            sign=sign,
            on_event=event,
            on_key=controls.press,
            overlay=controls.overlay,
        )

    outputs: list[Output] = []
    try:
        for address in wanted:
            outputs.append(opened(address))
    except BaseException:
        for output in outputs:
            output.close()
        raise
    windows = [output for address, output in zip(wanted, outputs, strict=True) if address == "window"]
    return [output for output in outputs if output not in windows], windows[0] if windows else None


def _is_photos(input: Input) -> bool:
    from rtswap.media.inputs.image import ImageInput

    return isinstance(input, ImageInput)


def _file_of(config: Config, input: Input) -> Path | None:
    """The file that is swapped; None for cameras, streams and folders, of which nothing is left to compare."""
    path = Path(config.input.address).expanduser()
    return None if input.info.live or not path.is_file() else path


def _default_output(info: StreamInfo) -> str:
    """The virtual camera if there is one, otherwise the preview; otherwise both reasons."""
    from rtswap.media.outputs import virtual_camera, window

    reasons = []
    for address, part in (("vcam", virtual_camera), ("window", window)):
        there, reason = part.available()
        if there:
            return address
        reasons.append(f"{address}: {reason}")
    raise OutputError(
        "there is neither a virtual camera nor a screen for the preview window",
        got="; ".join(reasons),
        do="Name an output, such as -o out.mp4, or run `rtswap doctor` for how to get a virtual camera.",
    )


def _recorder(config: Config, info: StreamInfo, sign: Sign, event: Event) -> Callable[[], Output]:
    """Opens a new recording, for the key r."""

    def record() -> Output:
        name = time.strftime("rtswap-%Y%m%d-%H%M%S.mp4")
        return open_output(name, fps=info.fps, codec=config.output.codec, live=True, sign=sign, on_event=event)

    return record


def _show(console: Console, metrics: Metrics, info: StreamInfo) -> None:
    line = status_line(metrics)
    if info.live:
        console.status(line)
    else:
        console.progress(metrics.frames, info.frame_count, line)


def _since_start(at: float | None) -> float | None:
    """Seconds from the start of this process, Python's own included, to a moment on ``time.perf_counter``."""
    if at is None:
        return None
    began: float = psutil.Process().create_time()
    return round(at - time.perf_counter() + time.time() - began, 3)
