"""The library: sessions on disk, for the app and its event loop.

Every call runs on the one database thread of its library, in the order in which calls were made. `Library.run` waits
for the result; `SessionWrites.post` returns at once and is tried again until it succeeds. The command line, which may
block, uses `Store` itself. A second `Library` on the same path reads without waiting for the first one's writes.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from mictape.failure import Failure, MictapeError
from mictape.library.folders import SessionFolder
from mictape.library.reader import BUSY_S
from mictape.library.records import CoverageRecord, LineRecord, SessionRecord, TrackChange, TrackRecord
from mictape.library.store import Store
from mictape.plain_text import counted
from mictape.transcript.line import NOTE

__all__ = [
    "CoverageRecord",
    "Library",
    "LineRecord",
    "SessionFolder",
    "SessionRecord",
    "SessionWrites",
    "Store",
    "TrackChange",
    "TrackRecord",
]

RETRY_S: Final = 1.0
"""How long a write that failed waits before it is tried again."""

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)

_RECOVER: Final = "Start Mictape again to recover the words from the recording"
_CHANGES: Final = frozenset(
    {
        Store.rename_track,
        Store.edit_line,
        Store.set_speakers,
        Store.rename_speaker,
        Store.replace_lines,
        Store.remove_lines,
        Store.restore_lines,
    }
)
"""What the person does with lines, beside marks and notes."""


class Library:
    """A `Store` on a thread of its own."""

    def __init__(self, store: Store, thread: ThreadPoolExecutor) -> None:
        """Use `open`."""
        self._store = store
        self._thread = thread

    @classmethod
    async def open(cls, path: Path | None, sessions: Path | None = None, *, busy_s: float = BUSY_S) -> Self:
        """Open the library; with no path nothing is kept.

        Raises:
            MictapeError: (`ExitCode.SOUND`) it cannot be opened, is damaged, or is of a newer Mictape.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="library")
        try:
            store = await _result(thread.submit(partial(Store, path, sessions, busy_s=busy_s)))
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(store, thread)

    async def close(self) -> None:
        """Carry out all calls made so far and close the database. Every session's writes must have ended."""
        await self.run(Store.close)
        self._thread.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def sessions_folder(self) -> Path:
        """The folder with one folder a session."""
        return self._store.sessions_folder

    async def run(self, method: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the store, as in `run(Store.lines, session)`, after all calls made before.

        A call that is cancelled is still carried out. Raises what the method raises.
        """
        return await _result(self._thread.submit(partial(method, self._store, *args, **kwargs)))

    def writes(self, session: str, report: Callable[[Failure], None]) -> "SessionWrites":
        """Begin to write to a session. `report` is called on the event loop with what cannot be written."""
        loop = asyncio.get_running_loop()

        def report_on_loop(failure: Failure) -> None:
            loop.call_soon_threadsafe(report, failure)

        return SessionWrites(self._store, self._thread, session, report_on_loop)


class SessionWrites:
    """What is written to one session, in the order of the calls."""

    def __init__(
        self, store: Store, thread: ThreadPoolExecutor, session: str, report: Callable[[Failure], None]
    ) -> None:
        """Use `Library.writes`."""
        self._store = store
        self._thread = thread
        self._session = session
        self._report = report
        self._ending = threading.Event()
        self._failure: Failure | None = None
        """Why something was never written; only the database thread sets it."""
        self.unwritten: Failure | None = None
        """Why something cannot be written and is tried again; only the database thread sets it."""
        self._left: list[partial[object]] = []
        """What could not be written when the session ended, and everything later; only the database thread uses it."""

    def post(self, method: Callable[Concatenate[Store, str, P], object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call a method of the store with the session's id, as in `post(Store.add_line, line)`, without waiting.

        What fails is reported and tried again before anything later is written. Once the session ends it is left, with
        everything later, for `close` to try a last time: no row claims what an earlier one should hold.
        An error that is no `MictapeError` is a fault of this program and would fail again: that one row is skipped.
        """
        self._thread.submit(self._write, partial(method, self._store, self._session, *args, **kwargs))

    async def run(self, method: Callable[Concatenate[Store, str, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the store with the session's id, after everything posted. Raises what it raises."""
        return await _result(self._thread.submit(partial(method, self._store, self._session, *args, **kwargs)))

    def stop_retrying(self) -> None:
        """The session is ending: what fails from now on is left for `close`."""
        self._ending.set()

    async def close(self, last: Callable[[Store, str], object] | None = Store.close_session) -> None:
        """Write what was posted, then, unless something of it was not written, carry out `last`.

        A session that `last` would have marked as closed then stays open, to be recovered. Without `last` nothing was
        recorded in it.

        Raises:
            MictapeError: something was not written; it says what of the person's is lost.
        """
        self.stop_retrying()
        await _result(self._thread.submit(self._close, last))
        if self._failure is not None:
            raise MictapeError(self._failure)

    def _close(self, last: Callable[[Store, str], object] | None) -> None:
        left, self._left = self._left, []
        for write in left:
            self._write(write)
        if not self._left and self._failure is None and last is not None:
            self._write(partial(last, self._store, self._session))
        if self._left and self.unwritten is not None:
            remedy = _RECOVER if last is not None else self.unwritten.remedy
            self._fail(self.unwritten, self._left, remedy)

    def _write(self, write: partial[object]) -> None:
        reported = False
        while not self._left:
            try:
                write()
            except MictapeError as error:
                self.unwritten = error.failure
                if not reported:
                    self._report(error.failure)
                reported = True
                if self._ending.is_set():
                    break
                self._ending.wait(RETRY_S)
            except Exception:
                _log.exception("session %s: a row cannot be written", self._session)
                failure = Failure("Part of the text cannot be stored", "The log has the details")
                self._report(failure)
                self._fail(failure, [write], _RECOVER)
                return
            else:
                self.unwritten = None
                self._tidy()
                return
        self._left.append(write)

    def _tidy(self) -> None:
        """What was written is safe; the next write will try again what cannot be done now."""
        try:
            self._store.tidy()
        except MictapeError as error:
            _log.warning("session %s: %s", self._session, error.failure)

    def _fail(self, failure: Failure, left: Sequence[partial[object]], remedy: str) -> None:
        if self._failure is None:
            made = Counter(filter(None, map(_made_by_person, left)))
            lost = ", ".join(counted(made[what], what) for what in ("mark", "note", "change") if made[what])
            lost = f" (lost: {lost})" if lost else ""
            what = f"Not all of session {self._session} could be stored{lost}: {failure.what}"
            self._failure = Failure(what, remedy, failure.code)


def _made_by_person(write: partial[object]) -> str | None:
    """What the person made that one of the posted calls would have stored; None when the engine or Mictape made it."""
    method, arguments = write.func, write.args[2:]
    if method is Store.add_line:
        return "note" if arguments[0].kind is NOTE else None
    if method is Store.set_mark:
        return "change" if arguments[1] is None else "mark"
    return "change" if method in _CHANGES else None


async def _result(future: "Future[T]") -> T:
    # Cancelling a call that still waits for the thread would drop it, and with it a line.
    return await asyncio.shield(asyncio.wrap_future(future))
