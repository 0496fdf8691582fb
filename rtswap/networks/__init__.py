"""The face networks: catalogue, files, conversion to ONNX, inputs and outputs."""
