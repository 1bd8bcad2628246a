"""Follows one tape: decides which stretch goes to which connection, and what happens when one is lost."""

import asyncio
from collections.abc import Callable
from typing import Final

from mictape.audio.tape import Tape
from mictape.engines.base import Engine, Lost, Request
from mictape.failure import ExitCode, Failure, unexpected
from mictape.recognition.backfill import Filling
from mictape.recognition.coverage import Coverage
from mictape.recognition.live import EngineState, Leading, Plan
from mictape.recognition.speakers import Voices
from mictape.recognition.speech_activity import SpeechGate
from mictape.recognition.stretches import Told, Work
from mictape.units import RATE
from mictape.vad.client import Listening

LOOK: Final = RATE // 10
"""Speech is looked for in so much of the tape at a time, or in more."""


class Follower:
    """Follows one tape until it has ended and nothing is open any more.

    Only what was not answered is ever sent again. A session that was killed, a gap to be completed and a change-over
    are the same work. Three readers of the tape share it: the leading connection, the one that fills in behind it,
    and our own speech gate.
    """

    def __init__(
        self,
        tape: Tape,
        coverage: Coverage,
        engine: Engine,
        request: Request,
        hear: Callable[[Told], None],
        *,
        plan: Plan | None = None,
        voices: Voices | None = None,
        first: int = 0,
        listening: Listening | None = None,
    ) -> None:
        """Prepare to follow `tape` with `engine`; `hear` is called with everything heard, in session time.

        Connections are counted from `first`. Where somebody speaks is asked of `listening`; None: told from the levels.
        """
        self._engine = engine
        self._listening = listening
        self._plan = plan or Plan()
        self._gate = SpeechGate(coverage.reached(tape.origin + tape.samples)) if _needs_gate(engine) else None
        self._work = Work(tape, coverage, request, hear, gate=self._gate, voices=voices or Voices(), first=first)
        self._leading = Leading(self._work, engine, self._plan)

    @property
    def state(self) -> EngineState:
        """How it stands with the engine."""
        return self._leading.state

    @property
    def failure(self) -> Failure | None:
        """Why the state is `offline` or `stopped`."""
        return self._leading.failure

    @property
    def received(self) -> int:
        """The engine has taken the samples before this, session time."""
        return self._work.received

    @property
    def behind(self) -> int:
        """Samples on the tape that the engine has not taken yet."""
        return self._work.behind

    @property
    def speech(self) -> bool | None:
        """Whether somebody speaks where the tape is now, as the speech detector says; None where it is not asked."""
        return self._gate.silent_for() == 0 if self._gate is not None and self._gate.certain else None

    @property
    def connected_s(self) -> float:
        """Seconds that the engine's connections have been open, not those of another one that fills in."""
        return self._work.seconds_of(self._engine)

    @property
    def cost_usd(self) -> float | None:
        """What the connections have cost so far by the public price; None when there is none."""
        price = self._engine.capabilities.usd_per_hour
        return None if price is None else price * self.connected_s / 3600

    def endpoint(self) -> None:
        """A pause begins where the tape is now: end the utterance there."""
        if self._work.leading is not None:
            self._work.leading.link.endpoint(self._work.end)

    async def expect(self, request: Request) -> None:
        """Ask for other key terms from now on, on the connections that live and on those to come."""
        await self._work.expect(request)

    async def run(self) -> None:
        """Follow to the end. Raises `Lost` when trying again is of no use, or after `Plan.give_up_s`.

        An engine that breaks the protocol of engines with an exception of its own is lost for good.
        """
        watching = asyncio.create_task(self._listen_for_speech())
        needed = [asyncio.create_task(self._leading.run())]
        if self._plan.splits(self._engine):
            needed.append(asyncio.create_task(Filling(self._work, self._plan.fill).run()))
        try:
            done, _ = await asyncio.wait(needed, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        except Lost:
            raise
        except Exception as error:
            lost = Lost(unexpected(error, self._engine.title, code=ExitCode.ENGINE), retry=False)
            self._leading.stop(lost)
            raise lost from error
        finally:
            for task in (watching, *needed):
                task.cancel()
            await asyncio.gather(watching, *needed, return_exceptions=True)

    async def _listen_for_speech(self) -> None:
        """Our own speech gate reads the tape, too."""
        gate, tape = self._gate, self._work.tape
        if gate is None:
            return
        begin = gate.position
        stream = None if self._listening is None else self._listening.stream()
        try:
            while True:
                at = gate.position + gate.pending - tape.origin
                count = min(RATE, await tape.wait(at + LOOK - 1) - at)
                if count > 0:
                    pcm = tape.read(at, count)
                    found = None if stream is None else await stream.find(pcm)
                    gate.feed(pcm, None if found is None else [(begin + start, begin + end) for start, end in found])
                    self._work.looked()
                elif tape.ended:
                    return
                await asyncio.sleep(0)
        finally:
            if stream is not None:
                stream.close()


def _needs_gate(engine: Engine) -> bool:
    """Whether it matters to this engine where somebody speaks.

    Not to one on this machine that takes everything at once; but its pace or its longest connection may be limited
    there, too: then silence is left out and waited for.
    """
    able = engine.capabilities
    return not able.offline or able.fastest_pace is not None or able.longest_s is not None
