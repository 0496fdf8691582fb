"""A frame being worked on, in host memory or on a GPU."""
