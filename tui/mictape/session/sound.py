"""The sound of a session: its tracks, and the sources that record them."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from mictape.audio.devices import Device
from mictape.audio.messages import Ended, Hole, Paused, Progress
from mictape.audio.ports import SoundPort, SourcePort
from mictape.audio.source import Event as SourceEvent
from mictape.audio.source import SourceChanged, SourceState
from mictape.audio.source_spec import DeviceSource, FileSource, SourceSpec
from mictape.audio.tape import Tape, TapeError, count_samples
from mictape.failure import Failure, MictapeError
from mictape.library.records import TrackRecord
from mictape.recognition.coverage import Coverage
from mictape.session.divider_texts import continued_text, hole_text
from mictape.session.events import Event, SoundLost, SourceBack, SourceEnded, Trouble
from mictape.session.recovery import StoredTrack
from mictape.session.track import Track, name_for
from mictape.session.track_clock import FIRST, TapeClock, clock_of
from mictape.session.transcript_writer import TranscriptWriter
from mictape.transcript.model import Transcript
from mictape.units import span


class _Before(NamedTuple):
    """How the first track of a session that is continued was recorded until now."""

    source: str
    """As `Track.device`."""
    stopped: datetime | None
    """When its sound ended, local time; None where it is not known."""


class SessionSound:
    """Adds tracks, and records them until they are ended."""

    def __init__(
        self,
        folder: Path,
        tracks: list[Track],
        *,
        sound: SoundPort,
        transcript: Transcript,
        writer: TranscriptWriter,
        report: Callable[[Event], None],
    ) -> None:
        """Prepare.

        Args:
            folder: Where the tapes are.
            tracks: Gets the tracks, the first one first.
            sound: Makes sources.
            transcript: Shows the names of tracks.
            writer: Writes what happens to them.
            report: Called with what happens.
        """
        self.paused = False
        """Whether nothing is written for now."""
        self._paused_at = datetime.min
        self._pause: int | None = None
        """The id of the line that says so."""
        self._before: _Before | None = None
        """Until the first track is recorded again."""
        self.stopped = False
        """Whether no track can be added any more."""
        self.tracks = tracks
        self._folder = folder
        self._sound = sound
        self._transcript = transcript
        self._writer = writer
        self._report = report
        self._joining = asyncio.Lock()

    # Tracks.

    def add_track(self, spec: SourceSpec) -> Track:
        """Add the first track; its sound is written and read once `capture` runs."""
        track = self._new_track(spec)
        self._put(track)
        return track

    async def join(self, spec: SourceSpec) -> Track:
        """Record another source, now. Run `capture` and `follow` for its track, unless they run.

        A device that was recorded on a track that has ended goes on there; the time in between is a pause. Everything
        else gets a new track, whose tape begins here.

        Raises MictapeError when the source cannot be opened; then nothing has changed.
        """
        async with self._joining:
            track = self._ended_track(spec)
            if track is not None:
                await self._go_on(track, spec)
            else:
                track = self._new_track(spec, self._now())
                await self._open_joining(track.source)
                # The tapes' anchors give the true place; this one is near enough to count from.
                track.begin_at(self._now())
                self._put(track)
            self._begin_writing(track)
            return track

    def _ended_track(self, spec: SourceSpec) -> Track | None:
        """The track on which this device was recorded until it was removed, the last one; None without one."""
        key = _device_key(spec)
        ended = (track for track in reversed(self.tracks) if track.tape.ended and key == _device_key(track.spec))
        return None if key is None else next(ended, None)

    async def _go_on(self, track: Track, spec: SourceSpec) -> None:
        before = track.tape
        tape = Tape(self._folder, track.number, before.origin)
        tape.report(before.samples)
        tape.own_sound = before.own_sound
        source = self._source(track.number, spec, tape)
        await self._open_joining(source)
        track.go_on(spec, source, tape)
        if track.removed:
            self._writer.set_removed(track, False)

    async def _open_joining(self, source: SourcePort) -> None:
        """Open a source that is to be recorded beside others. Raises MictapeError."""
        await source.open()
        if self.stopped:
            await source.close()
            raise MictapeError(Failure("The session has ended", "Start Mictape again to record"))

    async def end_track(self, track: Track) -> None:
        """Record a track no more while the others go on: its tape ends, its text is finished, both stay.

        Raises MictapeError for the first one, whose tape is session time.
        """
        if track.number == FIRST:
            what = f"{track.device} gives the session its time"
            raise MictapeError(Failure(what, "Choose another device in its place"))
        await track.source.close()
        if not track.tape.ended:
            track.tape.end()
            self._writer.set_removed(track, True)

    def _now(self) -> int:
        """Session time now, as near as the first track's anchors say."""
        if not self.tracks:
            return 0
        first = self.tracks[FIRST - 1]
        now = TapeClock(self._folder, FIRST).now().sample_at(time.monotonic())
        return first.end if now is None or first.source_state != "open" else now

    def _new_track(self, spec: SourceSpec, origin: int = 0) -> Track:
        named = list[str]()
        for track in self.tracks:  # a name that a track had before it was renamed would be taken for its own
            named.append(name_for(track.spec, named))
        name = name_for(spec, [*named, *(track.name for track in self.tracks)])
        return self._make_track(len(self.tracks) + 1, spec, origin, Coverage(origin), name)

    def _make_track(self, number: int, spec: SourceSpec, origin: int, coverage: Coverage, name: str) -> Track:
        tape = Tape(self._folder, number, origin)
        tape.report(count_samples(self._folder, number))
        source = self._source(number, spec, tape)
        clock = clock_of(self._folder, number, origin, lambda: self.tracks[0].end)
        return Track(number, spec, source, tape, coverage, name=name, clock=clock)

    def _put(self, track: Track) -> None:
        self.tracks.append(track)
        self._writer.add_track(track)
        self._writer.show_track_names()

    def take_up(self, left: StoredTrack, spec: SourceSpec | None) -> Track:
        """Add a track of a stored session; the first one goes on with `spec`, if there is one."""
        known = left.track
        goes_on = None if self.tracks else spec
        track = self._make_track(known.number, goes_on or _spec_of(known), known.origin, left.coverage, known.name)
        track.removed = known.removed
        if goes_on is None:
            track.tape.end()
            track.source_state = "ended"
        self.tracks.append(track)
        if not left.in_library:
            self._writer.add_track(track)
        for hole in left.coverage.lost:
            self._writer.add_hole(track, hole.start, hole.end, hole.why)
        if goes_on is not None and not isinstance(goes_on, FileSource):
            self._before = _Before(known.last_source, self._stopped(track))
        return track

    def _stopped(self, track: Track) -> datetime | None:
        """When the sound on the first track's tape ended, local time; None where its anchors do not say."""
        try:
            utc_s = TapeClock(self._folder, track.number).now().utc(track.tape.samples)
        except TapeError:
            return None
        return None if utc_s is None else datetime.fromtimestamp(utc_s)

    def _source(self, number: int, spec: SourceSpec, tape: Tape) -> SourcePort:
        return self._sound.source(spec, self._folder, number, tape)

    # Recording them.

    async def capture(self, track: Track) -> None:
        """Record a track until its source ends. Raises MictapeError when it cannot be opened."""
        if track.tape.ended:
            return
        track.capturing = True
        try:
            if track.source_state != "open":  # one that joined is open already
                await self._open(track)
                self._note_continued(track)
                self._begin_writing(track)
            source = None
            while source is not track.source:  # another device may be chosen meanwhile; it is open already then
                source = track.source
                async for event in source:
                    if source is track.source or not isinstance(event, Ended):  # else the track goes on with another
                        self._on_source(track, event)
                        track.on_source()
        finally:
            track.capturing = False
            await track.source.close()

    def _note_continued(self, track: Track) -> None:
        """Say once, before anything is written, when a session that is continued was stopped, and what else changed."""
        if track.number != FIRST or self._before is None:
            return
        before, self._before = self._before, None
        if track.tape.samples:
            self._writer.add_divider(track, continued_text(before.stopped, datetime.now()))
        if isinstance(track.spec, DeviceSource) and track.device != before.source:
            self._writer.set_device(track)

    def pause(self) -> None:
        """Write nothing until `resume`; what was said before is still answered for."""
        self.paused = True
        self._paused_at = datetime.now()
        goes_on = next((track for track in self.tracks if not track.tape.ended), None)
        if goes_on is not None:  # at once, so that it stands before what is noted during the pause
            self._pause = self._writer.add_divider(goes_on, f"paused from {self._paused_at:%H:%M:%S}")
        for track in self.tracks:
            track.source.pause()

    def resume(self) -> None:
        """Write again; a divider says how long nothing was written."""
        self.paused = False
        if self._pause is not None:
            length_s = (datetime.now() - self._paused_at).total_seconds()
            text = f"paused for {span(max(length_s, 0))} from {self._paused_at:%H:%M:%S}"
            self._writer.change_divider(self._pause, text)
            self._pause = None
        for track in self.tracks:
            track.source.resume()

    async def choose(self, track: Track, spec: SourceSpec) -> None:
        """Go on with another source on the same tape.

        The new one is open before the old one is closed. Raises MictapeError when it cannot be opened; the old
        one then goes on as if nothing had been asked. While the track is not captured, the next `capture` opens
        the new source.
        """
        source = self._source(track.number, spec, track.tape)
        if not track.capturing:
            track.change_source(spec, source)
            return
        await source.open()
        old = track.source
        track.change_source(spec, source)
        await old.close()
        self._begin_writing(track)
        self._writer.set_device(track)

    async def stop(self) -> None:
        """End the sound of all tracks."""
        self.stopped = True
        await asyncio.gather(*(track.source.close() for track in self.tracks))
        for track in self.tracks:
            track.tape.end()

    # What the source says.

    async def _open(self, track: Track) -> None:
        track.source_state = "opening"
        try:
            await track.source.open()
        except MictapeError as error:
            track.source_state, track.failure = "lost", error.failure
            raise

    def _begin_writing(self, track: Track) -> None:
        track.source_state, track.failure = "open", None
        if self.paused:
            track.source.pause()
        track.source.go()

    def _on_source(self, track: Track, event: SourceEvent) -> None:
        match event:
            case Progress():
                track.feed(event)
            case Hole(start, end, why):
                self._on_hole(track, start + track.tape.origin, end + track.tape.origin, why)
            case Paused():
                if track.follower is not None:
                    track.follower.endpoint()
            case SourceChanged(state, failure):
                self._on_change(track, state, failure)
            case Ended(_, why, warning):
                track.source_state = "ended"
                track.meter.rest()
                if why == "exhausted":
                    track.tape.end()
                    self._report(SourceEnded(track.number, warning))

    def _on_change(self, track: Track, state: SourceState, failure: Failure | None) -> None:
        if track.source_state == "lost" and state == "open":
            self._report(SourceBack(track.number, track.device))
        track.source_state, track.failure = state, failure
        if state == "lost":
            track.was_gone = track.was_gone or (failure is not None and failure.action == "choose_device")
            if track.follower is not None:  # what was being said has been cut off
                track.follower.endpoint()
        if state != "open":
            track.meter.rest()
        if failure is not None:
            self._report(Trouble(failure))

    def _on_hole(self, track: Track, start: int, end: int, why: str) -> None:
        if why == "restart" and track.was_gone:
            why, track.was_gone = "gone", False
        track.coverage.hole(start, end, why)
        track.lost += end - start
        self._writer.add_hole(track, start, end, why)
        self._writer.store_progress(track)
        self._report(SoundLost(track.number, track.session_time(start), hole_text(end - start, why)))


def _spec_of(known: TrackRecord) -> SourceSpec:
    """The source of a track that has ended, as far as the library knows it."""
    match known.kind:
        case "microphone" | "computer sound" as kind:
            return DeviceSource(Device("", known.source, known.host_api, 0, 0, False, kind, ""))
        case _:
            return FileSource(Path(known.source))


def _device_key(spec: SourceSpec) -> tuple[str, str] | None:
    """What the device is remembered by; None where it is no device."""
    return (spec.device.name, spec.device.host_api) if isinstance(spec, DeviceSource) else None
