"""A PulseAudio server, or PipeWire in its place: its sources, their levels, their mute switches.

In processes that may be killed only: a server that hangs holds its caller.
"""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from ctypes import POINTER, byref, c_float, c_int, c_void_p, cast
from importlib import import_module
from typing import Any, Final, Protocol

from mictape.audio.devices import Device, Kind

PEAKS_PER_S: Final = 25
"""How often the server reports the peak of a source, which costs it next to nothing: it sends no other sample."""

_MIXERS_OWN: Final = "application.id=org.PulseAudio.pavucontrol"
"""What desktops take for a mixer's level meter: they show no sign of a recording for it."""


class _Spec(Protocol):
    rate: int


class _Source(Protocol):
    """What is used of pulsectl's PulseSourceInfo."""

    index: int
    name: str
    description: str
    channel_count: int
    sample_spec: _Spec
    monitor_of_sink_name: str | None
    mute: int


Server = Any
"""pulsectl's `Pulse`, connected; it has no types."""


@contextmanager
def connected() -> Generator[Server | None]:
    """The server, for the length of a `with` block; None where none answers.

    A server that goes meanwhile raises what `errors` names; at the block's end that is no matter.
    """
    try:
        if not sys.platform.startswith("linux"):
            raise ImportError
        pulsectl: Any = import_module("pulsectl")
    except (ImportError, OSError):  # not on this system, or without libpulse
        yield None
        return
    _keep_sample_spec(pulsectl.PulseSourceInfo)
    server: Server = pulsectl.Pulse("mictape", connect=False)
    try:
        try:
            server.connect(autospawn=True)  # without its timeout, which always lasts its whole time
        except pulsectl.PulseError:
            yield None
        else:
            yield server
    finally:
        server.close()


def errors() -> tuple[type[Exception], ...]:
    """What a server raises that has gone, or that refuses; nothing where there can be none."""
    try:
        pulsectl: Any = import_module("pulsectl")
    except (ImportError, OSError):
        return ()
    return (pulsectl.PulseError,)


def sources(server: Server) -> list[Device]:
    """What the server can record, in its own order."""
    info: Any = server.server_info()
    sinks = {str(sink.name): str(sink.description) for sink in server.sink_list()}
    host_api = "PipeWire" if "pipewire" in str(info.server_name).casefold() else "PulseAudio"
    found: list[_Source] = server.source_list()
    return [_from_source(source, host_api, sinks, str(info.default_source_name)) for source in found]


def unmute(server: Server, target: str) -> bool:
    """Unmute a source; False when it is not there or the server refuses."""
    with suppress(*errors()):
        found: list[_Source] = server.source_list()
        for source in found:
            if source.name == target:
                server.source_mute(source.index, False)
                return True
    return False


class PeakStream:
    """The level of one source, from the server's own peak detector. It reads while the server's events are listened to.

    The stream is made through pulsectl's binding of libpulse: its public `get_peak_sample` waits for one source at a
    time. Where another pulsectl has no such binding there is no level, and nothing else is wrong.
    """

    def __init__(self, server: Server, target: str) -> None:
        """Begin to read. Raises what `errors` names, or AttributeError."""
        self._c: Any = import_module("pulsectl._pulsectl")
        self._peak: float | None = None
        spec = self._c.PA_SAMPLE_SPEC(format=self._c.PA_SAMPLE_FLOAT32NE, rate=PEAKS_PER_S, channels=1)
        properties = self._c.pa.proplist_from_string(_MIXERS_OWN)
        self._stream = self._c.pa.stream_new_with_proplist(server._ctx, "level", byref(spec), None, properties)
        self._c.pa.proplist_free(properties)
        self._on_data = self._c.PA_STREAM_REQUEST_CB_T(self._read)  # libpulse keeps no reference
        self._c.pa.stream_set_read_callback(self._stream, self._on_data, None)
        # DONT_MOVE: a source that goes takes its level with it; the server would go on with another one.
        flags = self._c.PA_STREAM_DONT_MOVE | self._c.PA_STREAM_PEAK_DETECT | self._c.PA_STREAM_ADJUST_LATENCY
        one_peak = self._c.PA_BUFFER_ATTR(fragsize=4, maxlength=2**32 - 1)
        try:
            self._c.pa.stream_connect_record(self._stream, target.encode(), one_peak, flags)
        except self._c.pa.CallError:
            self._c.pa.stream_unref(self._stream)
            raise

    def take(self) -> float | None:
        """The largest absolute sample since the last call, full scale = 1.0; None when nothing has come."""
        peak, self._peak = self._peak, None
        return peak

    def close(self) -> None:
        """Stop reading."""
        with suppress(self._c.pa.CallError):  # the source, and with it the stream, may be gone already
            self._c.pa.stream_disconnect(self._stream)
        self._c.pa.stream_unref(self._stream)

    def _read(self, stream: object, size: int, user_data: object) -> None:
        """Take what has come; a hole in it has a size and no data."""
        del user_data
        data, length = c_void_p(), c_int(size)
        self._c.pa.stream_peek(stream, data, byref(length))
        if data:
            peaks = cast(data, POINTER(c_float))
            self._peak = max(self._peak or 0.0, *(abs(peaks[at]) for at in range(length.value // 4)))
        if length.value:
            self._c.pa.stream_drop(stream)


def _from_source(source: _Source, host_api: str, sinks: Mapping[str, str], default: str) -> Device:
    target, name = source.name, source.description
    kind: Kind = "microphone"
    if source.monitor_of_sink_name is not None:
        kind = "computer sound"
        name = f"{sinks.get(source.monitor_of_sink_name, name)} (computer sound)"
    return Device(
        id=f"{host_api}:{target}",
        name=name,
        host_api=host_api,
        channels=source.channel_count,
        rate=source.sample_spec.rate,
        default=target == default,
        kind=kind,
        target=target,
        muted=bool(source.mute),
    )


def _keep_sample_spec(source_info: type[_Source]) -> None:
    """Let pulsectl copy each source's sample format while libpulse still holds it.

    pulsectl 24.12 keeps a view of memory that is freed when the callback returns: every source would show the rate of
    whichever came last.
    """

    def copy_spec(source: _Source, struct: _Source) -> None:
        source.sample_spec = copy(struct.sample_spec)

    setattr(source_info, "_init_from_struct", copy_spec)  # noqa: B010  (pulsectl's hook; not in its types)
