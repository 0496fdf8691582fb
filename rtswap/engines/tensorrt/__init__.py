"""TensorRT as an engine, and the plans it runs."""
