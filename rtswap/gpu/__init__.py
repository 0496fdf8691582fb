"""GPU building blocks: torch import, GPU detection, CUDA graphs, frame transfers, resampling, crops."""
