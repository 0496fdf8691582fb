"""Canvases: a frame that is being modified, in host memory or on a GPU."""
