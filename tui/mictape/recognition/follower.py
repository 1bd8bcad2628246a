"""Follows one tape: decides which stretch goes to which connection, and what happens when one is lost."""

import asyncio
from typing import Final

from mictape.engines.base import Engine, Lost, Request
from mictape.failure import ExitCode, Failure, unexpected
from mictape.recognition.backfill import Backfill
from mictape.recognition.live import EngineState, Live, Plan
from mictape.recognition.speech_activity import SpeechActivity
from mictape.recognition.stretches import FollowedTrack, StretchQueue
from mictape.units import RATE

LOOK: Final = RATE // 10
"""Samples of the tape in which speech is looked for at a time, at least."""


class Follower:
    """Follows one tape until it has ended and nothing is open any more.

    Only what was not answered is ever sent again. A session that was killed, a gap to be completed and a change-over
    are the same work. Three readers share the tape: the live connection, the one that fills in behind it, and our own
    speech detection.
    """

    def __init__(
        self,
        track: FollowedTrack,
        engine: Engine,
        request: Request,
        plan: Plan | None = None,
    ) -> None:
        """Prepare to follow the tape of `track` with `engine`.

        Args:
            track: Whose tape it is, and where its text goes.
            engine: The engine for what is being said now.
            request: What is asked of engines.
            plan: How to follow; by default as fast as the engine can, in order.
        """
        self._engine = engine
        self._listening = track.listening
        self._plan = plan or Plan()
        begin = track.coverage.reached(track.tape.origin + track.tape.samples)
        self._activity = SpeechActivity(begin) if _needs_activity(engine) else None
        self._queue = StretchQueue(track, request, activity=self._activity, send_all=self._plan.send_all)
        self._live = Live(self._queue, engine, self._plan)

    @property
    def state(self) -> EngineState:
        """The state of the engine."""
        return self._live.state

    @property
    def failure(self) -> Failure | None:
        """Why the state is `offline` or `stopped`."""
        return self._live.failure

    @property
    def received(self) -> int:
        """The engine has taken the samples before this, session time."""
        return self._queue.received

    @property
    def behind(self) -> int:
        """Samples on the tape that the engine has not taken yet."""
        return self._queue.behind

    @property
    def speech(self) -> bool | None:
        """Whether there is speech at the end of the tape by the speech detector; None without one."""
        return self._activity.silent_for() == 0 if self._activity is not None and self._activity.certain else None

    @property
    def cost_usd(self) -> float | None:
        """What the engine has cost so far by the public price, without another one that fills in; None: no price."""
        price = self._engine.capabilities.usd_per_hour
        return None if price is None else price * self._queue.billed_s(self._engine) / 3600

    def endpoint(self) -> None:
        """The recording is paused where the tape is now: end the utterance there."""
        self._queue.endpoint()

    async def change_request(self, request: Request) -> None:
        """Ask for other key terms from now on, on the connections that live and on those to come."""
        await self._queue.change_request(request)

    async def run(self) -> None:
        """Follow to the end. Raises `Lost` when trying again is of no use, or after `Plan.give_up_s`.

        An engine that breaks the protocol of engines with an exception of its own is lost for good.
        """
        watching = asyncio.create_task(self._detect_speech())
        needed = [asyncio.create_task(self._live.run())]
        if self._plan.splits(self._engine):
            needed.append(asyncio.create_task(Backfill(self._queue, self._plan.fill).run()))
        try:
            done, _ = await asyncio.wait(needed, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        except Lost:
            raise
        except Exception as error:
            lost = Lost(unexpected(error, self._engine.title, code=ExitCode.ENGINE), retry=False)
            self._live.stop(lost)
            raise lost from error
        finally:
            for task in (watching, *needed):
                task.cancel()
            await asyncio.gather(watching, *needed, return_exceptions=True)

    async def _detect_speech(self) -> None:
        """Detect speech on the tape, ahead of any engine."""
        activity, tape = self._activity, self._queue.tape
        if activity is None:
            return
        begin = activity.position
        stream = None if self._listening is None else self._listening.stream()
        try:
            while True:
                at = activity.position + activity.pending - tape.origin
                count = min(RATE, await tape.wait(at + LOOK - 1) - at)
                if count > 0:
                    pcm = await tape.fetch(at, count)
                    found = None if stream is None else await stream.find(pcm)
                    speech = None if found is None else [(begin + start, begin + end) for start, end in found]
                    activity.feed(pcm, speech)
                    self._queue.recheck()
                elif tape.ended:
                    return
                await asyncio.sleep(0)
        finally:
            if stream is not None:
                stream.close()


def _needs_activity(engine: Engine) -> bool:
    """Whether this engine needs to know where speech is.

    Not to one on this machine that takes everything at once; but its pace or its longest connection may be limited
    there, too: then silence is left out and waited for.
    """
    able = engine.capabilities
    limited = able.fastest_pace is not None or able.longest_s is not None
    return not able.offline or limited or able.endpointing == "follower"
