"""Trains the dense landmark network that ships as ``rtswap/assets/landmarks.onnx``."""
