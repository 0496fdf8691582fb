"""The network that looks around a swapped face: see ``recipe``."""
