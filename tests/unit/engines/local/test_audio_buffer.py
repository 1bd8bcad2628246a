"""The sound of a connection: whatever is appended and dropped, a piece of what is kept is what came."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.local.recognizer.audio_buffer import AudioBuffer


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))))
def test_a_piece_is_what_came_and_stays_so(steps: list[tuple[int, int]]) -> None:
    sound = np.arange(40 * len(steps), dtype="<i2")
    buffer, begin, end = AudioBuffer(), 0, 0
    pieces = list[tuple[int, int, np.ndarray]]()
    for came, before in steps:
        buffer.append(sound[end : end + came].tobytes())
        end += came
        pieces.append((begin, end, buffer.piece(begin, end)))
        pieces.append((max(begin, end - 7), min(end, end - 3), buffer.piece(end - 7, end - 3)))
        buffer.drop(begin + before)
        begin = min(begin + before, end)
        assert (buffer.begin, buffer.end) == (begin, end)
    for first, last, piece in pieces:
        np.testing.assert_array_equal(piece, sound[first : max(first, last)] / np.float32(32768))


def test_room_follows_what_is_kept() -> None:
    buffer = AudioBuffer()
    for _ in range(1000):
        buffer.append(bytes(200))
        buffer.drop(buffer.end - 150)
        assert len(buffer._room) <= 2 * (150 + 100)
