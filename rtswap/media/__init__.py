"""Inputs and outputs: cameras, images, video files, network streams, window, virtual camera."""
