"""Notices when the sound server has moved our stream to another source. In the capture process only.

PulseAudio gives no error when the source in use goes: it moves the stream to its default source, and another
microphone would be recorded unsaid. It also moves the streams of its default source when another source becomes the
default, as one does that is plugged in: then the stream is moved back, once, which makes it stay.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

LOOK_S: Final = 5.0
"""How often to look when no event comes, for events that were missed."""


class SourceWatch:
    """Watches, on a thread of its own, that a process still records from one source."""

    def __init__(self, source: str, process: int, gone: Callable[[], None]) -> None:
        """Begin to watch; `gone` is called once, from that thread, when the stream is elsewhere.

        Args:
            source: The server's name of the source that was opened.
            process: Who records: the process id that the server knows.
            gone: What to do then.
        """
        self._source = source
        self._process = str(process)
        self._gone = gone
        self._seen = self._moved_back = False
        threading.Thread(target=self._watch, name="source watch", daemon=True).start()

    def _watch(self) -> None:
        import pulsectl

        open_server: Any = pulsectl.Pulse  # it has no types
        try:
            with open_server("Mictape watch") as server:
                server.event_mask_set("source", "source_output")
                server.event_callback_set(_stop_listening)
                while self._in_place(server):
                    server.event_listen(timeout=LOOK_S)
        except pulsectl.PulseError:
            pass  # the server itself has gone: no block comes any more, which is noticed elsewhere
        else:
            self._gone()

    def _in_place(self, server: Any) -> bool:  # noqa: ANN401 (pulsectl has no types)
        """Whether our stream is on its source, or on the way back; before it is seen it counts as in place."""
        import pulsectl

        source = next((each.index for each in server.source_list() if each.name == self._source), None)
        ours = {
            output.index: output.source
            for output in server.source_output_list()
            if output.proplist.get("application.process.id") == self._process
        }
        if source is None:
            return False
        if source in ours.values() or not ours:
            self._seen = self._seen or bool(ours)
            return True
        if self._seen and not self._moved_back:
            self._moved_back = True
            try:
                server.source_output_move(next(iter(ours)), source)
            except pulsectl.PulseError:
                return False
            return True
        return not self._seen


def _stop_listening(event: object) -> None:
    del event
    import pulsectl

    raise pulsectl.PulseLoopStop
