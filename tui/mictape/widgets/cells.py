"""Text in a number of cells: letters take one or two."""

from rich.cells import cell_len, set_cell_size


def cut(text: str, cells: int) -> str:
    """At most `cells` cells of a text, with an ellipsis where it was cut."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…" if cells > 0 else ""


def fitted(text: str, cells: int) -> str:
    """A text in exactly so many cells, with an ellipsis where it is cut."""
    return set_cell_size(cut(text, cells), max(0, cells))
