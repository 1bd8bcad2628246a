"""What is said about an engine that cannot be reached, of one track or several."""

from mictape.cli.headless import missing_engine
from mictape.failure import Failure

GONE = Failure("The engine cannot be reached")
FULL = Failure("The engine has no room")


def test_it_is_said_once_and_again_when_all_answer() -> None:
    assert missing_engine(None, [("connecting", None)]) is None
    assert missing_engine(None, [("offline", GONE)]) is GONE
    assert missing_engine(GONE, [("connecting", None)]) is GONE, "an attempt is no connection"
    assert missing_engine(GONE, [("stopped", GONE)]) is GONE, "nor is giving up"
    assert missing_engine(GONE, [("answering", None)]) is None


def test_tracks_do_not_take_turns() -> None:
    assert missing_engine(GONE, [("answering", None), ("offline", GONE)]) is GONE
    assert missing_engine(GONE, [("offline", FULL), ("offline", GONE)]) is GONE
    assert missing_engine(GONE, [("answering", None), ("connecting", None)]) is GONE
    assert missing_engine(GONE, [("offline", FULL), ("answering", None)]) is FULL
    assert missing_engine(GONE, []) is None
