"""The networks that see faces: their files, and what goes in and comes out."""
