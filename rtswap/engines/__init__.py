"""Run networks: tensors in, tensors out. Know no faces."""
