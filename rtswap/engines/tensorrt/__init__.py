"""The TensorRT engine and its plans."""
