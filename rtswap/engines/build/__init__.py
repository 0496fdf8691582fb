"""ONNX files become TensorRT plans."""
