"""The faces of a frame: crop, swap, finish, check, paste or cover."""
