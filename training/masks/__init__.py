"""How the occlusion network was trained: what is in front of a face, told from the face."""
