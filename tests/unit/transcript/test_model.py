"""The transcript's lines: tape order, ids that stay, and the feed of changes."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mictape.transcript.line import DIVIDER, GAP, SPEECH, Line, PartialText
from mictape.transcript.model import FEED, Change, Transcript


def lines_of(transcript: Transcript) -> list[Line]:
    return [transcript.line(index) for index in range(len(transcript))]


def replay(known: list[int], changes: tuple[Change, ...]) -> list[int]:
    """Apply a feed to a list of ids, as a follower does."""
    ids = list(known)
    for change in changes:
        if change.what == "added":
            ids.insert(change.index, change.id)
        elif change.what == "removed":
            assert ids.pop(change.index) == change.id
        elif change.what == "revised":
            assert ids[change.index] == change.id
    return ids


def test_lines_stand_in_tape_order_and_ids_stay() -> None:
    transcript = Transcript()
    late = transcript.add(0, 32000, 40000, "late")
    early = transcript.add(0, 0, 8000, "early", kind=GAP)
    again = transcript.add(1, 0, 9000, "early too", speaker="You")
    assert [line.text for line in lines_of(transcript)] == ["early", "early too", "late"]
    assert transcript.line(0) == Line(early, 0, 0, 8000, "early", GAP, None)
    assert transcript.line(1) == Line(again, 1, 0, 9000, "early too", SPEECH, "You")
    assert [transcript.index_of(id) for id in (late, early, again)] == [2, 0, 1]
    assert transcript.text(-1) == "late"
    assert transcript.voices.speakers == ("You",)


def test_each_change_is_made_known() -> None:
    transcript = Transcript()
    versions: list[int] = []
    transcript.on_change = lambda: versions.append(transcript.version)
    transcript.add(1, 0, 10, "a word")
    transcript.set_partial(1, PartialText(10, "an"))
    assert versions == list(range(1, transcript.version + 1))
    assert len(versions) >= 2


def test_ids_of_the_library_are_kept() -> None:
    transcript = Transcript()
    assert transcript.add(0, 16000, 17000, "seven", id=7) == 7
    assert transcript.add(0, 0, 1000, "three", id=3) == 3
    assert transcript.add(0, 32000, 33000, "next") == 8
    assert [line.id for line in lines_of(transcript)] == [3, 7, 8]
    assert 5 not in transcript
    with pytest.raises(ValueError, match="7"):
        transcript.add(0, 0, 1, "again", id=7)
    with pytest.raises(KeyError):
        transcript.index_of(5)


def test_a_line_cannot_end_before_it_starts() -> None:
    transcript = Transcript()
    with pytest.raises(ValueError, match="before"):
        transcript.add(0, 100, 99, "no")
    id = transcript.add(0, 100, 200, "yes")
    with pytest.raises(ValueError, match="before"):
        transcript.revise(id, end=50)
    assert transcript.line(0).end == 200


def test_partials_stand_in_track_order_and_report_only_real_changes() -> None:
    transcript = Transcript()
    transcript.set_partial(1, PartialText(5, "two"))
    transcript.set_partial(0, PartialText(9, "one", 2))
    assert list(transcript.partials) == [0, 1]
    version = transcript.version
    transcript.set_partial(0, PartialText(9, "one", 2))
    transcript.set_partial(7, None)
    assert transcript.version == version
    transcript.set_partial(0, None)
    assert transcript.version == version + 1
    assert list(transcript.partials) == [1]


def test_a_reader_too_far_behind_starts_over() -> None:
    transcript = Transcript()
    for start in range(FEED + 1):
        transcript.add(0, start, start, "")
    assert transcript.changes_since(0) is None
    assert len(transcript.changes_since(1) or ()) == FEED
    assert transcript.changes_since(transcript.version) == ()
    assert transcript.changes_since(transcript.version + 1) is None


def test_a_removed_line_is_gone_and_its_id_is_not_given_again() -> None:
    transcript = Transcript()
    ids = [transcript.add(0, start, start, str(start)) for start in range(3)]
    transcript.remove(ids[2])
    assert ids[2] not in transcript
    with pytest.raises(KeyError):
        transcript.text_of(ids[2])
    assert transcript.add(0, 9, 9, "new", kind=DIVIDER) == 3


@dataclass(frozen=True)
class Step:
    what: str
    which: int
    start: int
    length: int
    text: str


STEPS = st.lists(
    st.builds(
        Step,
        what=st.sampled_from(["add", "add", "add", "text", "move", "end", "remove"]),
        which=st.integers(0, 50),
        start=st.integers(0, 30),
        length=st.integers(0, 5),
        text=st.text(max_size=5),
    ),
    max_size=60,
)


@given(STEPS)
def test_it_is_what_a_sorted_list_would_be(steps: list[Step]) -> None:
    transcript = Transcript()
    naive: dict[int, Line] = {}
    followed: list[int] = []
    version = 0
    for number, step in enumerate(steps):
        ids = sorted(naive)
        id = ids[step.which % len(ids)] if ids else None
        if step.what == "add" or id is None:
            new = transcript.add(step.which, step.start, step.start + step.length, step.text)
            naive[new] = Line(new, step.which, step.start, step.start + step.length, step.text, SPEECH, None)
        elif step.what == "text":
            transcript.revise(id, step.text, speaker="You")
            naive[id] = replace(naive[id], text=step.text, speaker="You")
        elif step.what == "move":
            end = max(step.start, naive[id].end)
            transcript.revise(id, start=step.start, end=end)
            naive[id] = replace(naive[id], start=step.start, end=end)
        elif step.what == "end":
            transcript.revise(id, end=naive[id].start + step.length)
            naive[id] = replace(naive[id], end=naive[id].start + step.length)
        else:
            transcript.remove(id)
            del naive[id]
        expected = sorted(naive.values(), key=lambda line: (line.start, line.id))
        assert lines_of(transcript) == expected
        assert [transcript.index_of(line.id) for line in expected] == list(range(len(expected)))
        if number % 3 == 0:
            changes = transcript.changes_since(version)
            assert changes is not None
            followed = replay(followed, changes)
            assert followed == [line.id for line in expected]
            version = transcript.version


def test_a_line_costs_sixteen_bytes_beyond_its_text() -> None:
    transcript = Transcript()
    for start in range(10_000):
        transcript.add(start % 3, start, start + 5, "", speaker="You")
    columns = ("_order", "_lengths", "_voices")
    arrays = [*(getattr(transcript, name) for name in columns), transcript._starts._low]
    cost = sum(len(column) * column.itemsize for column in arrays) + len(transcript._starts._high)
    assert cost + len(transcript._kinds) == 16 * len(transcript)
