"""Text: lines, layout, library, export. Pure Python."""
