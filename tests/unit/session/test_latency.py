"""How late text is: from the end of a word on the tape to its first appearance."""

from mictape.session.latency import RECENT_S, Latency
from mictape.units import RATE


class Clock:
    """A clock that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_latency_is_the_median_of_the_last_minute_and_each_word_counts_once() -> None:
    clock = Clock()
    latency = Latency(clock)
    assert latency.median_s is None
    latency.measure(RATE)
    assert latency.median_s is None, "nothing is on the tape yet"
    for second in range(1, 5):
        clock.now_s += 1
        latency.note_tape(second * RATE)
    assert latency.tape_end == 4 * RATE
    latency.measure(3 * RATE)  # it was on the tape a second ago
    assert latency.median_s == 1.0
    clock.now_s += 5
    latency.measure(3 * RATE)
    assert latency.median_s == 1.0, "the same word again"
    latency.measure(4 * RATE)
    assert latency.median_s == 3.0, "between 1 s and 5 s"
    clock.now_s += RECENT_S
    assert latency.median_s is None
