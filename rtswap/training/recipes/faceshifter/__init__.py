"""FaceShifter: a network that swaps any photo's face onto any other, and one that restores what covered it."""
