"""What may be odd about a source that records all the same, in words."""

from datetime import timedelta

from mictape.audio.messages import ChannelsCancel, ChannelsDiffer, ClocksJumped, Oddity, TrueRate
from mictape.failure import Failure


def explained(oddity: Oddity) -> Failure:
    """What is odd about an open source, and what to do about it."""
    match oddity:
        case TrueRate(claimed, measured):
            what = f"The device claims {claimed} samples a second and delivers {measured}, which is corrected"
            return Failure(what, "A headset's own microphone lowers its quality; another microphone keeps it")
        case ChannelsCancel(channel):
            what = f"The channels cancel each other out, so channel {channel} alone is recorded"
            return Failure(what, "Check the wiring: one channel has its polarity reversed")
        case ChannelsDiffer():
            what = "The two channels take turns, as if each had a speaker of its own"
            return Failure(what, "Transcribe them apart: --tracks channels")
        case ClocksJumped(why, by_s):
            length = timedelta(seconds=round(abs(by_s)))
            if why == "suspend":
                return Failure(f"The machine slept for {length}; nothing was recorded meanwhile")
            way = "forward" if by_s > 0 else "back"
            what = f"The computer's clock was set {way} by {length}; the times of day jump here"
            return Failure(what, "The recording continues; its own time is not affected")
