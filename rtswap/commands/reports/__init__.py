"""Contact sheets, charts, tables and result folders for the commands."""
