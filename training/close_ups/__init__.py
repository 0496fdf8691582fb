"""The network that looks closely at what may be a head."""
