"""FaceShifter: a network that puts any photo's face on any other, and one that mends what hid it."""
