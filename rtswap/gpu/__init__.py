"""What every part on a GPU is made of: torch, CUDA graphs, resampling, crops."""
