"""Contact sheets and charts, and the text and lines that they are drawn with."""
