"""Build a TensorRT plan from an ONNX file, with TensorRT for RTX (needs no GPU to build) or classic TensorRT."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from rtswap.core.errors import EngineError, ModelError
from rtswap.engines.build.pixels import cast_pixels_first
from rtswap.engines.build.precision import lower_precision
from rtswap.engines.contract import TensorSpec, one_line, read_model_file
from rtswap.engines.tensorrt.module import TensorRt, make_listener, shorten
from rtswap.engines.tensorrt.plan import CURRENT, Manifest, Recipe


def build_plan(
    content: bytes, network: str, recipe: Recipe, tensorrt: TensorRt, *, card: str = ""
) -> tuple[bytes, Manifest]:
    """Compile a network and return (plan, manifest). ``network`` is its name, for messages. ``card``: the GPU model
    that a classic plan is tied to.

    Raises ModelError if the file is not an ONNX network or TensorRT cannot parse it, EngineError if TensorRT cannot
    build it by ``recipe``.
    """
    began = time.perf_counter()
    model, free_batch = prepare_graph(content, recipe)
    api = tensorrt.api
    errors: list[str] = []
    listener = make_listener(api, errors)
    builder = api.Builder(listener)
    definition = builder.create_network(1 << int(api.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = api.OnnxParser(definition, listener)
    if not parser.parse(model.SerializeToString()):
        raise ModelError(f"TensorRT cannot parse the network {network}", got=_reason(parser, errors))
    config = builder.create_builder_config()
    config.clear_flag(api.BuilderFlag.TF32)  # fp32 is the reference for the other precisions
    _set_target(config, recipe, tensorrt)
    _set_shapes(builder, config, definition, recipe, network)
    plan = builder.build_serialized_network(definition, config)
    if plan is None:
        raise EngineError(f"TensorRT cannot build a plan for the network {network}", got=_reason(parser, errors))
    serialised = bytes(plan)
    return serialised, Manifest(
        network=network,
        onnx_sha256=hashlib.sha256(content).hexdigest(),
        module=tensorrt.name,
        version=tensorrt.version,
        card=card,
        recipe=recipe,
        plan_sha256=hashlib.sha256(serialised).hexdigest(),
        plan_bytes=len(serialised),
        inputs=_specs(api, definition.num_inputs, definition.get_input),
        outputs=_specs(api, definition.num_outputs, definition.get_output),
        built_at=datetime.now(UTC).isoformat(timespec="seconds"),
        took_s=round(time.perf_counter() - began, 3),
        free_batch=free_batch,
    )


def prepare_graph(content: bytes, recipe: Recipe) -> tuple[onnx.ModelProto, bool]:
    """Return the graph for TensorRT, and whether its batch size is dynamic. Raises ModelError."""
    try:
        model = onnx.load_from_string(read_model_file(content))
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, RuntimeError, ValueError, TypeError) as error:
        raise ModelError("invalid ONNX file", expected="an ONNX network", got=one_line(error)) from error
    free_batch = all(_has_free_batch(value) for value in [*_real_inputs(model), *model.graph.output])
    _fix_lengths(model, recipe)
    return lower_precision(cast_pixels_first(model), recipe.precision, recipe.keep), free_batch


def _real_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs without the weights, which older files list among the inputs."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def _has_free_batch(value: onnx.ValueInfoProto) -> bool:
    lengths = value.type.tensor_type.shape.dim
    return len(lengths) > 0 and not lengths[0].HasField("dim_value")


def _fix_lengths(model: onnx.ModelProto, recipe: Recipe) -> None:
    """Make dimensions static where the recipe allows only one length: a static plan needs no kernels for other
    shapes."""
    for value in _real_inputs(model):
        for axis, length in enumerate(value.type.tensor_type.shape.dim):
            least, _, most = recipe.batch if axis == 0 else recipe.side
            if not length.HasField("dim_value") and least == most:
                length.dim_value = least


def _set_target(config: Any, recipe: Recipe, tensorrt: TensorRt) -> None:
    """Set the plan's target GPU in the builder configuration. Raises EngineError."""
    if not recipe.target:
        return
    if recipe.target == CURRENT:
        config.num_compute_capabilities = 1
        config.set_compute_capability(tensorrt.api.ComputeCapability.CURRENT, 0)
        return
    if recipe.target not in tensorrt.targets:
        known = " or ".join(tensorrt.targets) or "no target: its plans run only on the GPU they are built on"
        raise EngineError(
            f"{tensorrt.name} {tensorrt.version} cannot build for compute capability {recipe.target}", expected=known
        )
    config.num_compute_capabilities = 1
    wanted = tensorrt.api.ComputeCapability.__members__[f"SM{recipe.target.replace('.', '')}"]
    config.set_compute_capability(wanted, 0)


def _set_shapes(builder: Any, config: Any, definition: Any, recipe: Recipe, network: str) -> None:
    """Set the ranges of dynamic dimensions: the first axis is the batch, the others are image sides. Raises
    EngineError."""
    profile = builder.create_optimization_profile()
    free = False
    for index in range(definition.num_inputs):
        tensor = definition.get_input(index)
        shape = list(tensor.shape)
        free = free or -1 in shape
        least, usual, most = (
            [length if length >= 0 else recipe.batch[k] if axis == 0 else recipe.side[k]
             for axis, length in enumerate(shape)]
            for k in range(3)
        )  # fmt: skip
        profile.set_shape(tensor.name, least, usual, most)
    if free and config.add_optimization_profile(profile) < 0:
        raise EngineError(f"TensorRT rejects the input sizes for the network {network}", got=str(recipe))


def _specs(api: Any, count: int, get: Any) -> tuple[TensorSpec, ...]:
    return tuple(_spec(api, get(index)) for index in range(count))


def _spec(api: Any, tensor: Any) -> TensorSpec:
    shape = tuple(None if length < 0 else int(length) for length in tensor.shape)
    return TensorSpec(str(tensor.name), np.dtype(api.nptype(tensor.dtype)), shape)


def _reason(parser: Any, errors: list[str]) -> str:
    """Return why it failed, in one line: the parser's first error, else the first logged error."""
    parser_errors = [str(parser.get_error(index).desc()) for index in range(parser.num_errors)]
    return shorten(" ".join([*parser_errors, *errors][:1]))
