"""The probe process: what can be recorded as it comes and goes, and how loud each device is. It writes nothing to disk.

Started by `device_monitor.py` as `python -m mictape.audio.probe` while the device picker is open. It prints `Listing`,
`Levels` and `Refused`, one JSON object per line, takes `MeasureLevel` and `Unmute` the same way, and ends when its
command pipe closes. It may be killed at any time.

A sound server reports every change and reads all levels at once. Elsewhere the list is asked for again and again in a
fresh child, and one device is open at a time, the one under the cursor.
"""

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

import msgspec

from mictape.audio import pulse
from mictape.audio.devices import Device, Listing, list_devices_now
from mictape.audio.listing import of_server, portaudio_inputs
from mictape.audio.monitor_messages import Levels, MeasureLevel, MonitorCommand, MonitorEvent, Refused, Unmute
from mictape.failure import Failure, MictapeError

TICK_S: Final = 1 / pulse.PEAKS_PER_S
"""How often levels are reported."""
AGAIN_S: Final = 1.5
"""Without a sound server, how long after one list the next is made: a device is shown within 2 s."""

_encoder: Final = msgspec.json.Encoder()
_Orders = SimpleQueue[MonitorCommand]


def main() -> None:
    """Report until the pipe is closed."""
    orders: _Orders = SimpleQueue()
    threading.Thread(target=_obey, args=(orders,), daemon=True).start()
    with pulse.connected() as server:
        if server is not None:
            with suppress(*pulse.errors()):  # a server that goes ends the probe; the next one finds what there is
                _watch_server(server, orders)
            return
    _watch_portaudio(orders)


def _obey(orders: _Orders) -> None:
    """Take in orders; when their pipe closes there is nothing left to do."""
    decoder = msgspec.json.Decoder(MonitorCommand)
    for line in sys.stdin.buffer:
        orders.put(decoder.decode(line))
    os._exit(0)


def _say(sight: MonitorEvent) -> None:
    try:
        sys.stdout.buffer.write(_encoder.encode(sight) + b"\n")
        sys.stdout.buffer.flush()
    except OSError:  # the app has closed the pipe
        os._exit(0)


def _next(orders: _Orders) -> MonitorCommand | None:
    try:
        return orders.get_nowait()
    except Empty:
        return None


# ---- A sound server --------------------------------------------------------------------------------------------------


def _watch_server(server: pulse.Server, orders: _Orders) -> None:
    """Report its sources and their levels until it goes."""
    streams: dict[str, pulse.PeakStream] = {}
    shown: Listing | None = None
    changed = True

    def on_event(event: object) -> None:
        nonlocal changed
        del event
        changed = True

    server.event_mask_set("source", "sink", "server")
    server.event_callback_set(on_event)
    while True:
        if changed:
            changed = False
            listing = of_server(server)
            if listing != shown:
                shown = listing
                _say(listing)
                _open_and_close(server, streams, listing.devices)
        while (order := _next(orders)) is not None:
            if isinstance(order, Unmute) and not pulse.unmute(server, order.device.target):
                _say(Refused(_not_unmuted(order.device)))
        server.event_listen(timeout=TICK_S)
        peaks = {name: peak for name, stream in streams.items() if (peak := stream.take()) is not None}
        if peaks:
            _say(Levels(peaks))


def _open_and_close(server: pulse.Server, streams: dict[str, pulse.PeakStream], devices: Sequence[Device]) -> None:
    """Have a level for each of `devices` and for nothing else."""
    for gone in streams.keys() - {device.id for device in devices}:
        streams.pop(gone).close()
    for device in devices:
        if device.id not in streams:
            with suppress(AttributeError, *pulse.errors()):  # a source that refuses is shown without a level
                streams[device.id] = pulse.PeakStream(server, device.target)


def _not_unmuted(device: Device) -> Failure:
    return Failure(f"{device.name} stays muted: this can be changed elsewhere only", "Unmute it in the sound settings")


# ---- Without one -----------------------------------------------------------------------------------------------------


class _Loudness:
    """The level of one of PortAudio's devices, the one that is looked at."""

    def __init__(self) -> None:
        self._stream: Any = None
        self._peak = 0.0
        self._device: Device | None = None

    def look(self, device: Device) -> None:
        """Read this one from now on; a device that cannot be opened has no level."""
        import sounddevice as sd

        if self._stream is not None:
            self._stream.close()
        self._stream, self._device, self._peak = None, device, 0.0
        sd._terminate()  # pyright: ignore[reportPrivateUsage]  (its list of devices is made once)
        sd._initialize()  # pyright: ignore[reportPrivateUsage]
        index = next((index for index, entry in portaudio_inputs() if entry.id == device.id), None)
        if index is not None:
            with suppress(sd.PortAudioError):
                self._stream = sd.InputStream(device=index, channels=device.channels, callback=self._on_block)
                self._stream.start()

    def take(self) -> Levels | None:
        """The peak levels since the last call."""
        if self._device is None or self._stream is None:
            return None
        peak, self._peak = self._peak, 0.0
        return Levels({self._device.id: peak})

    def _on_block(self, samples: Any, *_: object) -> None:  # noqa: ANN401  (numpy's array, on PortAudio's thread)
        self._peak = max(self._peak, float(abs(samples).max()))


def _watch_portaudio(orders: _Orders) -> None:
    """Report what PortAudio shows, and the level of the device under the cursor."""
    threading.Thread(target=_list_again_and_again, daemon=True).start()
    loudness = _Loudness()
    while True:
        order: MonitorCommand | None
        try:
            order = orders.get(timeout=TICK_S)
        except Empty:
            order = None
        match order:
            case MeasureLevel(device):
                loudness.look(device)
            case Unmute(device):
                _say(Refused(_not_unmuted(device)))
            case None:
                pass
        if (levels := loudness.take()) is not None:
            _say(levels)


def _list_again_and_again() -> None:
    shown: Listing | None = None
    pause = threading.Event()
    while True:
        try:
            listing = Listing(tuple(list_devices_now()))
        except MictapeError as error:
            listing = Listing(failure=error.failure)
        if listing != shown:
            shown = listing
            _say(listing)
        pause.wait(AGAIN_S)


if __name__ == "__main__":
    main()
