"""Build TensorRT plans from ONNX files."""
