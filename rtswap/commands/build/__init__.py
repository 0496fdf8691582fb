"""``rtswap build``: TensorRT plans of the networks."""
