"""Inference engines: run ONNX networks on the CPU or a GPU, independent of what the networks compute."""
