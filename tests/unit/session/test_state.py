"""The state word: the worst that holds, and LISTENING only when all is well."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mictape.session.state import BEHIND_S, Situation, State, engine_trouble_of, state_of

WELL = Situation(source="open", engine="answering")

CAUSES = {
    State.DISK_FULL: {"source": "disk full"},
    State.CANNOT_WRITE: {"source": "unwritable"},
    State.CANNOT_READ: {"source": "lost", "is_device": False},
    State.DEVICE_LOST: {"source": "lost"},
    State.DEVICE_STALLED: {"source": "stalled"},
    State.NO_SIGNAL: {"no_signal": True},
    State.ENGINE_STOPPED: {"engine": "stopped"},
    State.PAUSED: {"paused": True},
    State.LOADING: {"engine": "loading"},
    State.CONNECTING: {"engine": "connecting"},
    State.OFFLINE: {"engine": "offline"},
    State.CATCHING_UP: {"behind_s": BEHIND_S + 0.1},
}


def test_each_word_has_its_cause() -> None:
    assert state_of(WELL) is State.LISTENING
    for state, cause in CAUSES.items():
        assert state_of(replace(WELL, **cause)) is state  # type: ignore[arg-type]


@given(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from(["opening", "open", "stalled", "lost", "disk full", "unwritable"]),
            "engine": st.sampled_from(["loading", "connecting", "offline", "answering", "stopped"]),
            "paused": st.booleans(),
            "no_signal": st.booleans(),
            "behind_s": st.floats(0, 10),
        }
    ).map(lambda now: replace(WELL, **now))
)
def test_listening_is_said_only_when_sound_arrives_and_an_engine_answers(now: Situation) -> None:
    if state_of(now) is State.LISTENING:
        assert now.source == "open"
        assert now.engine == "answering"
        assert not now.paused
        assert not now.no_signal


def test_a_pause_is_not_reported_as_no_signal() -> None:
    assert state_of(replace(WELL, paused=True, no_signal=True)) is State.PAUSED


def test_of_two_causes_the_worse_is_shown() -> None:
    order = [state for state in State if state in CAUSES]
    for worse, better in itertools.pairwise(order):
        both = {**CAUSES[better], **CAUSES[worse]}
        if worse is State.NO_SIGNAL or CAUSES[worse].keys() & CAUSES[better].keys():
            continue
        assert state_of(replace(WELL, **both)) is worse  # type: ignore[arg-type]


def test_trouble_with_the_sound_does_not_hide_trouble_with_the_engine() -> None:
    for worse in (State.DEVICE_LOST, State.NO_SIGNAL, State.PAUSED):
        both = replace(WELL, **CAUSES[worse], engine="offline")  # type: ignore[arg-type]
        assert (state_of(both), engine_trouble_of(both)) == (worse, State.OFFLINE)
    assert engine_trouble_of(replace(WELL, no_signal=True)) is None
    assert engine_trouble_of(replace(WELL, engine="offline")) is None, "the state word says it"
    assert engine_trouble_of(replace(WELL, engine="stopped", behind_s=9.0)) is None
