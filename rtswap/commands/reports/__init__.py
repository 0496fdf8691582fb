"""Tables, result folders and published sheets of the commands."""
