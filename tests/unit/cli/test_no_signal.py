"""When `listen` says that a microphone gives nothing."""

from mictape.cli.no_signal import AGAIN_S, FIRST_S, NoSignal


def test_it_is_said_once_and_again_only_after_long() -> None:
    watch = NoSignal()
    assert watch.look(True, 10.0) is None
    assert watch.look(True, 10.0 + FIRST_S) is True
    assert watch.look(True, 20.0) is None
    assert watch.look(False, 21.0) is False
    assert watch.look(False, 22.0) is None
    assert watch.look(True, 30.0) is None
    assert watch.look(True, 30.0 + FIRST_S) is None, "as a noise gate does"
    assert watch.look(True, 30.0 + AGAIN_S) is True


def test_a_signal_in_between_starts_it_over() -> None:
    watch = NoSignal()
    assert [watch.look(zeros, at) for at, zeros in enumerate([True, True, True, False, True, True])] == [None] * 6
