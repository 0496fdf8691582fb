"""How the sharpness network was trained: what an enlarged face lacks."""
