"""torch as an engine: an ONNX file becomes a list of torch operations."""
