"""The torch engine: runs an ONNX file as a list of torch operations."""
