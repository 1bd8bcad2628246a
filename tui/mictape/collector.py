"""Python's garbage collector, which waits until Mictape has started."""

import gc


def pause() -> None:
    """Collect no garbage for now: what is imported and built at the start stays, and looking through it takes time."""
    gc.disable()


def resume() -> None:
    """After `pause`, collect garbage again, but never look through what is there now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
