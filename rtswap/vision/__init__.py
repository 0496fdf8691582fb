"""Arithmetic on pixels and points, without networks or streams."""
