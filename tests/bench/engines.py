"""From the tape to an engine and from the engine to the screen, and the local engine itself."""

from typing import Final

from bench import hour, local, outage, screen, wire
from bench.report import Part

PARTS: Final = (
    Part("Tape to socket, live", wire.measure),
    Part("Socket to screen", screen.measure),
    Part("An hour at speed", hour.measure),
    Part("After an outage of 60 s", outage.measure),
    Part("The local engine", local.measure),
)
