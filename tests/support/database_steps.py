"""How much work the database does, whatever else the machine does: counted, not timed."""

from collections.abc import Callable

from mictape.library.store import Store


def steps(store: Store, work: Callable[[], object]) -> int:
    """Tens of steps of SQLite's machine that `work` takes."""
    done = 0

    def count() -> int:
        nonlocal done
        done += 1
        return 0

    store._db.set_progress_handler(count, 10)
    try:
        work()
    finally:
        store._db.set_progress_handler(None, 0)
    return done
