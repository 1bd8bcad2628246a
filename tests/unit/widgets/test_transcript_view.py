"""The transcript on the screen, with the clock's `pull` called by the test."""

from datetime import datetime

import pytest
from rich.style import Style
from textual import events
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.selection import Selection
from textual.widgets import Static

from mictape.transcript.layout import BLOCK
from mictape.transcript.line import DIVIDER, GAP, NOTE, PartialText
from mictape.transcript.model import Transcript
from mictape.transcript.query import Matcher, parse
from mictape.widgets.transcript_inks import inks_of
from mictape.widgets.transcript_strips import Page
from mictape.widgets.transcript_view import TranscriptView
from support.layouts import counted_layouts
from support.transcript_app import SECOND, fill, shown
from support.waiting import until_async


def screen(view: TranscriptView) -> list[str]:
    """The rows as they are seen."""
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


async def test_lines_have_their_time_and_hang_under_their_text() -> None:
    transcript = Transcript()
    transcript.add(
        0, 744 * SECOND, 750 * SECOND, "ask not what your country can do for you, ask what you can do for it"
    )
    async with shown(transcript, (40, 24)) as (view, _):
        assert screen(view)[:4] == [
            " ▸00:12:24  ask not what your country",
            "            can do for you, ask what",
            "            you can do for it",
            "",
        ]


async def test_a_partial_grows_in_place_and_its_final_replaces_it() -> None:
    transcript = Transcript()
    fill(transcript, 3)
    async with shown(transcript) as (view, pilot):
        for said in ("And", "And the next", "And the next point"):
            transcript.set_partial(0, PartialText(3 * SECOND, said, 3))
            view.pull()
            await pilot.pause()
            assert screen(view)[3] == f"  00:00:03  {said}…"
            assert screen(view)[4] == ""
        settled, open_ = [part.style for part in view.render_line(3) if part.text in {"And", " the next point…"}]
        assert open_ is not None
        assert settled is not None
        assert open_.italic
        assert not settled.italic
        assert settled.color != open_.color
        transcript.set_partial(0, None)
        transcript.add(0, 3 * SECOND, 4 * SECOND, "And the next point is this.")
        view.pull()
        await pilot.pause()
        assert screen(view)[3:5] == [" ▸00:00:03  And the next point is this.", ""]


async def test_a_new_line_has_nothing_laid_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = Transcript()
    fill(transcript, 100)
    async with shown(transcript) as (view, pilot):
        layouts = counted_layouts(monkeypatch)
        fill(transcript, 3, first=100)
        view.pull()
        await pilot.pause()
        assert layouts == []
        assert screen(view)[-1].endswith("line 102")
        assert view.vertical_scrollbar.window_virtual_size == view.rows == view.virtual_size.height == 103
        assert view.scroll_y == view.max_scroll_y == view.vertical_scrollbar.position == 103 - 24


async def test_only_rows_that_changed_are_refreshed(monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = Transcript()
    fill(transcript, 100)
    transcript.set_partial(0, PartialText(100 * SECOND, "one"))
    async with shown(transcript) as (view, pilot):
        refreshed: list[int] = []
        monkeypatch.setattr(view, "refresh", lambda *regions, **_: refreshed.extend(region.y for region in regions))
        transcript.set_partial(0, PartialText(100 * SECOND, "one two"))
        view.pull()
        assert refreshed == [23]
        view.pull()
        assert refreshed == [23]
        await pilot.pause()


async def test_it_follows_the_end() -> None:
    transcript = Transcript()
    async with shown(transcript) as (view, pilot):
        for number in range(60):
            fill(transcript, 1, first=number)
            view.pull()
        await pilot.pause()
        assert view.following
        assert screen(view)[-1] == " ▸00:00:59  line 59"
        assert view.scroll_offset.y == 60 - 24


async def scroll_up(pilot: Pilot[None], view: TranscriptView, how: str) -> None:
    if how == "wheel":
        view.post_message(events.MouseScrollUp(view, 5, 5, 0, -1, 0, False, False, False))
    elif how == "scrollbar":
        view.scroll_to(y=view.scroll_offset.y - 5, animate=False)
    else:
        await pilot.press(how)
    await pilot.pause()


async def test_the_last_line_is_in_sight_with_the_cursor_whatever_brings_it_there() -> None:
    transcript = Transcript()
    fill(transcript, 60)
    note = transcript.add(0, 60 * SECOND, 60 * SECOND, "a note", kind=NOTE)
    async with shown(transcript) as (view, pilot):

        async def last_row() -> str:
            view.pull()
            await pilot.pause()
            assert view.scroll_y == view.scroll_offset.y == view._port.top
            return next(row for row in reversed(screen(view)) if "00:00" in row or "00:01" in row)

        at_note = "»▸00:01:00  a note"
        assert await last_row() == at_note.replace("▸", " "), "the newest speech has the cursor"
        view.go_to(note)
        assert await last_row() == at_note
        view.to_start()
        view.go_to(note)
        assert (await last_row(), view.cursor_id) == (at_note, note)
        view.bring_cursor()
        assert view.cursor_id == note
        await scroll_up(pilot, view, "wheel")
        assert await last_row() != at_note
        view.post_message(events.MouseScrollDown(view, 5, 5, 0, 1, 0, False, False, False))
        await pilot.pause()
        assert view.following
        assert await last_row() == at_note.replace("▸", " ")
        await pilot.click(view, offset=(13, 23))
        assert await last_row() == at_note, "a click on the last row leaves it in sight"


@pytest.mark.parametrize("how", ["pageup", "wheel", "scrollbar", "home"])
async def test_scrolled_up_it_stays_on_its_row_whatever_comes(how: str) -> None:
    transcript = Transcript()
    fill(transcript, 200, "line {} " + "and more words " * 6)
    async with shown(transcript) as (view, pilot):
        await scroll_up(pilot, view, how)
        assert not view.following
        before = screen(view)
        for number in range(100):
            fill(transcript, 1, first=200 + number)
            transcript.add(1, number, number, "filled in above " * (number % 9 + 1))
            transcript.set_partial(0, PartialText(0, "growing " * number))
            view.pull()
        transcript.revise(0, "the first line became much longer " * 9)
        transcript.remove(3)
        view.pull()
        await pilot.pause()
        if how == "home":
            # What came in above the first line is above the first row; the line itself was revised.
            assert screen(view)[0].lstrip(" ▸").startswith("00:00:00  the first line became")
        else:
            assert screen(view)[:-1] == before[:-1]
        assert view.new_count == 100 if how != "home" else view.new_count >= 100
        assert screen(view)[-1].endswith(f"{view.new_count} new · End to follow")


async def test_reading_in_unfinished_text_goes_on_in_the_line_it_becomes() -> None:
    transcript = Transcript()
    fill(transcript, 10)
    said = " ".join(f"word{number}" for number in range(600))
    transcript.set_partial(0, PartialText(10 * SECOND, said))
    async with shown(transcript) as (view, pilot):
        await pilot.press("pageup")
        before = screen(view)[:-1]
        assert view.first_id is None
        transcript.set_partial(0, PartialText(10 * SECOND, said + " and on" * 100))
        view.pull()
        assert screen(view)[:-1] == before
        transcript.set_partial(0, None)
        transcript.add(0, 10 * SECOND, 90 * SECOND, said + " and on" * 100)
        fill(transcript, 5, first=100)
        transcript.add(0, 0, 0, "above")
        view.pull()
        assert screen(view)[:-1] == before
        assert screen(view)[-1].endswith(" 6 new · End to follow")


async def test_a_text_that_does_not_grow_has_no_end_to_follow() -> None:
    transcript = Transcript()
    fill(transcript, 100)
    async with shown(transcript, grows=False) as (view, pilot):
        await pilot.press("home")
        transcript.add(0, SECOND, SECOND, "a note of one's own", kind=NOTE)
        view.pull()
        assert not view.following
        assert not any("follow" in row for row in screen(view))


async def test_what_is_in_sight_is_not_new() -> None:
    transcript = Transcript()
    fill(transcript, 5)
    async with shown(transcript) as (view, pilot):
        await pilot.press("home")
        fill(transcript, 3, first=5)
        view.pull()
        assert not view.following
        assert view.new_count == 0 and not any("follow" in row for row in screen(view))
        fill(transcript, view.size.height, first=8)
        view.pull()
        assert screen(view)[-1].endswith(f"{view.new_count} new · End to follow")


async def test_rows_stay_where_they_are_when_a_notice_above_takes_some_and_leaves_them() -> None:
    transcript = Transcript()
    fill(transcript, 100)
    async with shown(transcript) as (view, pilot):
        await pilot.press("pageup", "up")
        before = screen(view)
        view.screen.mount(notice := Static("no signal\nat all"), before=view)
        await until_async(lambda: screen(view)[:-1] == before[2:-1])
        await notice.remove()
        await until_async(lambda: screen(view) == before)
        assert view.first_id is not None
        view.go_to(view.first_id)
        at_top = screen(view)[0]
        view.screen.mount(notice := Static("no signal\nat all"), before=view)
        await until_async(lambda: len(screen(view)) == len(before) - 2)
        assert screen(view)[0] == at_top, "the line with the cursor is not covered"


async def test_no_text_is_under_the_label_that_leads_to_the_end() -> None:
    transcript = Transcript()
    fill(transcript, 100)
    async with shown(transcript) as (view, pilot):
        await pilot.press("home")
        height = view.size.height
        assert screen(view)[-1].strip() == "End to follow"
        for _ in range(height):
            await pilot.press("down")
            assert view.cursor_id is not None
            assert any(row.lstrip().startswith("▸") for row in screen(view)[:-1]), "the cursor's line is in sight"
        view.go_to(80)
        assert any(row.endswith("line 80") for row in screen(view)[:-1])


async def test_reaching_the_end_follows_again() -> None:
    transcript = Transcript()
    fill(transcript, 100)
    async with shown(transcript) as (view, pilot):
        await pilot.press("pageup")
        fill(transcript, 12, first=100)
        view.pull()
        assert screen(view)[-1].endswith(" 12 new · End to follow")
        await pilot.press("pagedown")
        assert not view.following
        await pilot.press("pagedown")
        assert view.following
        assert view.new_count == 0
        assert screen(view)[-1] == " ▸00:01:51  line 111"
        await pilot.press("home")
        assert screen(view)[0] == " ▸00:00:00  line 0"
        await pilot.press("end")
        assert view.following
        await pilot.press("pageup")
        await pilot.click(view, offset=(70, 23))
        await pilot.pause()
        assert view.following


async def test_resize_keeps_the_row_that_is_read() -> None:
    transcript = Transcript()
    fill(transcript, 300, "line {} " + "and more words " * 9)
    async with shown(transcript) as (view, pilot):
        await pilot.press("pageup", "pageup", "pageup")
        first = view.first_id
        assert first is not None
        for size in ((50, 30), (120, 10), (25, 24), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert view.first_id == first
            assert not view.following
        await pilot.press("end")
        for size in ((50, 30), (120, 10), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert view.following
            assert screen(view)[-1].endswith("words")


async def test_what_was_said_is_shown_and_not_obeyed() -> None:
    transcript = Transcript()
    for number, said in enumerate(["[laughs]", "[/etc/hosts]", "\x1b[31mred", "[b]bold[/b]", "a\tb", "$x :smile:"]):
        transcript.add(0, number * SECOND, number * SECOND, said)
    transcript.set_partial(0, PartialText(9 * SECOND, "[i]\x07"))
    async with shown(transcript) as (view, _):
        texts = [row[12:] for row in screen(view)[:7]]
        assert texts == ["[laughs]", "[/etc/hosts]", "␛[31mred", "[b]bold[/b]", "a b", "$x :smile:", "[i]␇…"]


async def test_gaps_dividers_and_notes_are_lines_of_their_own() -> None:
    transcript = Transcript()
    transcript.add(0, 0, SECOND, "38 s not transcribed: network was down", kind=GAP)
    transcript.add(0, SECOND, SECOND, "microphone: Virtual Mic Two", kind=DIVIDER)
    transcript.add(0, 2 * SECOND, 2 * SECOND, "ask about this", kind=NOTE)
    transcript.add(0, 3 * SECOND, 3 * SECOND, "speech")
    async with shown(transcript) as (view, _):
        gap, divider, note, speech = screen(view)[:4]
        assert gap.startswith("  00:00:00  38 s not transcribed: network was down ╌╌╌")
        assert divider.startswith("  00:00:01  microphone: Virtual Mic Two ───")
        assert note == "» 00:00:02  ask about this"
        assert speech == " ▸00:00:03  speech"


async def test_speakers_are_named_when_there_are_several() -> None:
    transcript = Transcript()
    transcript.add(0, 0, SECOND, "hello", speaker="You")
    async with shown(transcript) as (view, _):
        assert screen(view)[0] == " ▸00:00:00  hello"
        transcript.add(1, SECOND, SECOND, "hello back " * 9, speaker="Them")
        transcript.set_partial(0, PartialText(2 * SECOND, "so", 0))
        view.pull()
        assert screen(view)[0] == "  00:00:00  You   hello"
        assert screen(view)[1].startswith(" ▸00:00:01  Them  hello back")
        assert screen(view)[2].startswith(" " * 18 + "back hello")
        assert screen(view)[3] == "  00:00:02  You   so…"


async def test_a_name_that_a_person_gives_is_shown_and_its_column_goes_with_it() -> None:
    transcript = Transcript()
    fill(transcript, 3)
    async with shown(transcript) as (view, _):
        plain = screen(view)[:3]
        transcript.name_speaker(transcript.id_at(1), "Kennedy")
        view.pull()
        assert screen(view)[:3] == [
            "  00:00:00           line 0",
            "  00:00:01  Kennedy  line 1",
            " ▸00:00:02           line 2",
        ]
        for id in transcript.ids():
            transcript.name_speaker(id, "Kennedy")
        view.pull()
        assert screen(view)[0] == "  00:00:00  Kennedy  line 0", "also when nobody else speaks"
        for id in transcript.ids():
            transcript.name_speaker(id, None)
        view.pull()
        assert screen(view)[:3] == plain


async def test_a_name_that_only_the_engine_gives_is_shown_beside_lines_without_one() -> None:
    transcript = Transcript()
    id = transcript.add(0, 0, SECOND, "hello", speaker="A")
    transcript.add(0, SECOND, SECOND, "hi", speaker=None)
    async with shown(transcript) as (view, _):
        assert screen(view)[0] == "  00:00:00  A  hello"
        transcript.remove(transcript.id_at(1))
        view.pull()
        assert screen(view)[0] == " ▸00:00:00  hello"
        transcript.voices.rename(0, "A", "Anna")
        transcript.revise(id, "hello there")
        view.pull()
        assert screen(view)[0] == " ▸00:00:00  Anna  hello there"


def test_the_column_of_names_has_room_for_tracks_beside_the_first_name_of_a_speaker() -> None:
    tracks = ("Dr. Weiß", "Frau Müller")
    assert Page.fit(80, 0, ("Zoe",), tracks).speaker == Page.fit(80, 0, (), tracks).speaker == len("Frau Müller")


async def test_lines_have_the_time_of_the_wall_where_it_is_known() -> None:
    transcript = Transcript()
    fill(transcript, 3)
    transcript.set_partial(0, PartialText(3 * SECOND, "and"))
    began = datetime(2026, 3, 1, 14, 4, 59)  # local, as the gutter shows it
    async with shown(transcript) as (view, pilot):
        on_tape = screen(view)
        view.show_wall_clock(lambda at: began.timestamp() + at / SECOND if at else None)
        await pilot.pause()
        assert view.on_wall
        assert screen(view)[:4] == [
            "   00:00:00  line 0",
            "  @14:05:00  line 1",
            " ▸@14:05:01  line 2",
            "  @14:05:02  and…",
        ]
        view.show_wall_clock(None)
        await pilot.pause()
        assert not view.on_wall
        assert screen(view) == on_tape


async def test_the_cursor_is_the_newest_final_and_moves() -> None:
    transcript = Transcript()
    fill(transcript, 50)
    async with shown(transcript) as (view, pilot):
        assert view.cursor_id == 49
        await pilot.press("up")
        assert view.cursor_id == 48
        assert not view.following
        fill(transcript, 1, first=50)
        view.pull()
        assert view.cursor_id == 48
        await pilot.press(*["up"] * 30)
        assert view.cursor_id == 18
        assert screen(view)[0] == " ▸00:00:18  line 18"
        for key in ("pageup", "pageup", "pagedown", "pagedown"):
            await pilot.press(key)
            assert any("▸" in row for row in screen(view)), "the cursor is taken along"
        await pilot.press("end")
        assert view.cursor_id == 50
        await pilot.press("up", "down")
        assert view.following


async def test_selected_words_can_be_copied_and_stay_selected() -> None:
    transcript = Transcript()
    fill(transcript, 10, "line {} says something")
    async with shown(transcript) as (view, pilot):
        await pilot.mouse_down(view, offset=(17, 2))
        await pilot.hover(view, offset=(15, 4))
        await pilot.mouse_up(view, offset=(15, 4))
        await pilot.pause()
        assert view.screen.get_selected_text() == "2 says something\nline 3 says something\nline"
        transcript.add(0, 0, 0, "came in above")
        view.pull()
        await pilot.pause()
        assert view.screen.get_selected_text() == "2 says something\nline 3 says something\nline"
        highlight = inks_of(view).selection.bgcolor
        marked = [part.text for part in view.render_line(4) if part.style and part.style.bgcolor == highlight]
        assert marked == ["line 3 says something"]


async def test_a_selection_through_lines_that_came_in_late() -> None:
    transcript = Transcript()
    fill(transcript, 3, "line {}")
    late = transcript.add(0, SECOND // 2, SECOND, "late one")
    async with shown(transcript) as (view, _):
        # A drag from the `a` of the late line to the `i` of line 1, as Textual tells it: in the order of the ids.
        textual = Selection(start=Offset(1, 1), end=Offset(2, late))
        assert view.get_selection(textual) == ("ate one\nli", "\n")
        assert view.get_selection(Selection(None, None)) == ("line 0\nlate one\nline 1\nline 2", "\n")
        assert view.get_selection(Selection(Offset(2, 2), None)) == ("ne 2", "\n")
        transcript.remove(2)
        assert view.get_selection(Selection(Offset(2, 2), None)) is None


async def test_a_new_theme_draws_in_its_colours() -> None:
    transcript = Transcript()
    fill(transcript, 2)
    async with shown(transcript) as (view, pilot):
        before = view.render_line(0)
        pilot.app.theme = "textual-light"
        await pilot.pause()
        after = view.render_line(0)
        assert after.text == before.text
        assert [part.style for part in after] != [part.style for part in before]


async def test_a_hundred_thousand_lines_cost_a_screen_a_pull() -> None:
    transcript = Transcript()
    fill(transcript, 100_000, "line {} " + "and more words " * 6)
    async with shown(transcript) as (view, pilot):

        def cost() -> int:
            before = view.wraps
            view.pull()
            return view.wraps - before

        assert view.wraps <= 16 * BLOCK
        fill(transcript, 1, first=100_000)
        assert cost() <= BLOCK
        assert view.scroll_offset.y > 100_000
        await pilot.press("pageup")
        transcript.add(0, 0, 0, "above")
        assert cost() <= BLOCK
        assert max(cost() for _ in range(20)) <= 6 * BLOCK
        before = screen(view)
        while cost():
            pass
        await pilot.pause()
        assert screen(view) == before
        await pilot.resize_terminal(60, 20)
        start = view.wraps
        await pilot.press("home")
        assert screen(view)[0].endswith("line 0 and more words and more words and more")
        assert view.wraps - start <= 6 * BLOCK
        before = view.wraps
        view.scroll_to(y=90_000, animate=False)
        await pilot.pause()
        assert view.wraps - before <= 6 * BLOCK


async def test_a_click_moves_the_cursor_and_on_the_newest_line_goes_on_following() -> None:
    transcript = Transcript()
    fill(transcript, 10, "word {}")
    async with shown(transcript) as (view, pilot):
        await pilot.click(view, offset=(14, 3))
        assert view.cursor_id == 3
        assert screen(view)[3].startswith(" ▸")
        await pilot.click(view, offset=(70, 5))
        assert view.cursor_id == 5, "also behind the text"
        await pilot.click(view, offset=(14, 9))
        await pilot.click(view, offset=(14, 20))
        assert view.cursor_id == 9, "below the text nothing happens"
        view.to_end()
        await pilot.click(view, offset=(14, 9))
        assert view.following


async def test_a_click_scrolls_no_further_than_the_line_needs() -> None:
    transcript = Transcript()
    fill(transcript, 60)
    async with shown(transcript) as (view, pilot):
        await pilot.click(view, offset=(14, 10))
        assert (view.cursor_id, view.following, screen(view)[0]) == (46, False, "  00:00:36  line 36")
        fill(transcript, 5, first=60)
        view.pull()
        await pilot.pause()
        assert (view.cursor_id, screen(view)[10]) == (46, " ▸00:00:46  line 46")


@pytest.mark.parametrize(
    ("column", "selected"),
    [(13, "don't"), (18, "stop"), (22, ","), (25, "bleib-da"), (17, None), (2, None), (32, "」")],
)
async def test_a_double_click_selects_a_word(column: int, selected: str | None) -> None:
    transcript = Transcript()
    fill(transcript, 2)
    transcript.add(0, 2 * SECOND, 3 * SECOND, "don't stop, bleib-da」")
    async with shown(transcript) as (view, pilot):
        await pilot.double_click(view, offset=(column, 2))
        await pilot.pause()
        assert view.screen.get_selected_text() == selected


async def test_a_triple_click_selects_the_line() -> None:
    transcript = Transcript()
    fill(transcript, 3, "a long line that takes more than a single row {}")
    async with shown(transcript, (40, 24)) as (view, pilot):
        await pilot.triple_click(view, offset=(20, 3))
        await pilot.pause()
        assert view.screen.get_selected_text() == "a long line that takes more than a single row 1"


async def test_a_drag_selects_across_lines_and_leaves_the_cursor() -> None:
    transcript = Transcript()
    fill(transcript, 10, "word {}")
    async with shown(transcript) as (view, pilot):
        await pilot.mouse_down(view, offset=(17, 2))
        await pilot.hover(view, offset=(15, 4))
        await pilot.mouse_up(view, offset=(15, 4))
        await pilot.pause()
        assert view.screen.get_selected_text() == "2\nword 3\nword"
        assert (view.cursor_id, view.following) == (9, True)


def name_style(view: TranscriptView, y: int, name: str) -> Style:
    """How a voice's name is drawn on a row."""
    [style] = [part.style for part in view.render_line(y) if part.text.strip() == name]
    assert style is not None
    return style


async def test_each_voice_has_a_name_and_a_colour_of_its_own_which_its_partial_shares() -> None:
    transcript = Transcript()
    transcript.name_track(1, "You")
    transcript.name_track(2, "Computer")
    transcript.add(1, 0, SECOND, "one")
    transcript.add(2, SECOND, 2 * SECOND, "two")
    transcript.add(2, 2 * SECOND, 3 * SECOND, "three", speaker="A")
    transcript.add(1, 3 * SECOND, 4 * SECOND, "four")
    transcript.set_partial(1, PartialText(5 * SECOND, "five"))
    async with shown(transcript) as (view, _):
        names = ["You", "Computer", "Computer A", "You", "You"]
        styles = [name_style(view, row, name) for row, name in enumerate(names)]
    assert styles[0].color == styles[3].color == styles[4].color
    assert len({styles[row].color for row in range(3)}) == 3
    assert all(style.bold for style in styles)


async def test_unfinished_text_has_no_name_that_was_given_to_the_line_before_alone() -> None:
    transcript = Transcript()
    line = transcript.add(0, 0, SECOND, "one")
    transcript.name_speaker(line, "Zoe", own=True)
    transcript.set_partial(0, PartialText(2 * SECOND, "two"))
    async with shown(transcript) as (view, _):
        assert ["Zoe" in row for row in screen(view)[:2]] == [True, False], "its line will not have it either"
        view.show_paragraphs(True)
        assert [row for row in screen(view) if "two" in row and "one" not in row], "nor goes it on with that paragraph"


async def test_notes_and_dividers_have_no_speaker_and_look_unlike_speech() -> None:
    transcript = Transcript()
    transcript.name_track(1, "You")
    transcript.name_track(2, "Computer")
    transcript.add(1, 0, SECOND, "said")
    transcript.add(1, SECOND, SECOND, "written", kind=NOTE)
    transcript.add(1, 2 * SECOND, 2 * SECOND, "engine: other", kind=DIVIDER)
    transcript.add(2, 3 * SECOND, 4 * SECOND, "3 s not transcribed", kind=GAP)
    async with shown(transcript) as (view, _):
        assert [row[:22].split()[-1] for row in screen(view)[:4]] == ["You", "00:00:01", "00:00:02", "Computer"]
        assert screen(view)[1].startswith("» ")
        said, written = (
            next(part.style for part in view.render_line(row) if text in part.text)
            for row, text in enumerate(("said", "written"))
        )
        assert said is not None
        assert written is not None
        assert said.color != written.color
        assert written.italic


async def test_what_is_being_said_stands_in_the_order_of_time() -> None:
    transcript = Transcript()
    transcript.name_track(1, "You")
    transcript.name_track(2, "Computer")
    transcript.set_partial(1, PartialText(25 * SECOND, "later"))
    transcript.set_partial(2, PartialText(21 * SECOND, "earlier"))
    async with shown(transcript) as (view, _):
        assert [row.split()[0] for row in screen(view)[:2]] == ["00:00:21", "00:00:25"]


async def test_paragraphs_are_running_text_with_their_voice_once_and_blank_rows_between() -> None:
    transcript = Transcript()
    for start, end, text, speaker in (
        (0, 2, "And so my fellow Americans", "Anna"),
        (3, 4, "ask not", "Anna"),
        (9, 10, "After a pause.", "Anna"),
        (10, 11, "Me, too.", "Ben"),
    ):
        transcript.add(0, start * SECOND, end * SECOND, text, speaker=speaker)
    transcript.add(0, 12 * SECOND, 12 * SECOND, "written", kind=NOTE)
    async with shown(transcript, (60, 24)) as (view, pilot):
        view.to_start()
        lines = screen(view)[:6]
        view.show_paragraphs(True)
        await pilot.pause()
        assert screen(view)[:9] == [
            " ▸00:00:00  Anna  And so my fellow Americans  ask not",
            "",
            "  00:00:09  Anna  After a pause.",
            "",
            "  00:00:10  Ben   Me, too.",
            "",
            "» 00:00:12        written",
            "",
            "",
        ]
        transcript.set_mark(transcript.id_at(1), "")
        await pilot.press("down")
        view.pull()
        assert screen(view)[0] == "  00:00:00  Anna  And so my fellow Americans★▸ask not", "its signs are before it"
        await pilot.press("down")
        assert screen(view)[2].startswith(" ▸00:00:09"), "the cursor goes from line to line"
        transcript.name_speaker(transcript.id_at(1), "Ben")
        view.pull()
        assert screen(view)[1:4] == ["", "★ 00:00:03  Ben   ask not", ""]
        transcript.set_mark(transcript.id_at(1), None)
        transcript.name_speaker(transcript.id_at(1), "Anna")
        view.show_paragraphs(False)
        view.to_start()
        assert screen(view)[:6] == lines


async def test_a_drag_that_ends_between_two_paragraphs_ends_with_the_one_above() -> None:
    transcript = Transcript()
    for at, text in enumerate(("first words", "second words", "third words")):
        transcript.add(0, 9 * at * SECOND, (9 * at + 1) * SECOND, text)
    async with shown(transcript, (60, 24)) as (view, pilot):
        view.show_paragraphs(True)
        view.to_start()
        await pilot.pause()
        column = screen(view)[2].index("words")
        for begin, end, selected in (((column, 2), (40, 3), "words"), ((40, 3), (column - 1, 2), "words")):
            view.screen.clear_selection()
            await pilot.mouse_down(view, offset=begin)
            await pilot.hover(view, offset=end)
            await pilot.mouse_up(view, offset=end)
            await pilot.pause()
            assert (view.screen.get_selected_text() or "").strip() == selected
        before = view.render_line(3)
        transcript.set_mark(transcript.id_at(0), "")
        view.pull()
        assert view.render_line(3) is before, "what shows the same is not drawn again"


async def test_what_is_being_said_goes_on_with_its_paragraph_and_moves_nothing_when_it_is_final() -> None:
    transcript = Transcript()
    transcript.add(0, 0, SECOND, "Well", speaker="Anna")
    transcript.add(1, SECOND, 2 * SECOND, "Yes", speaker="Ben")
    async with shown(transcript, (60, 24)) as (view, _):
        view.show_paragraphs(True)
        transcript.set_partial(1, PartialText(3 * SECOND, "I mean"))
        view.pull()
        assert screen(view)[2:4] == [" ▸00:00:01  Ben   Yes  I mean…", ""]
        transcript.set_partial(1, None)
        transcript.add(1, 3 * SECOND, 4 * SECOND, "I mean yes", speaker="Ben")
        view.pull()
        assert screen(view)[2:4] == ["  00:00:01  Ben   Yes ▸I mean yes", ""]
        transcript.set_partial(0, PartialText(5 * SECOND, "So"))
        view.pull()
        assert screen(view)[3:5] == ["", "  00:00:05  Anna  So…"]
        transcript.set_partial(0, None)
        transcript.set_partial(1, PartialText(5 * SECOND, "what I want to say is long"))
        view.pull()
        assert screen(view)[2:4] == [
            "  00:00:01  Ben   Yes ▸I mean yes  what I want to say is",
            "                  long…",
        ]


async def test_in_a_paragraph_each_row_has_the_time_of_what_begins_there_and_each_line_its_own_place() -> None:
    transcript = Transcript()
    words = (
        "I came here today,",
        "to say something",
        "that takes more than one row of this small screen,",
        "and so",
        "on",
    )
    for number, text in enumerate(words):
        transcript.add(0, number * SECOND, (number + 1) * SECOND, text)
    async with shown(transcript, (40, 24)) as (view, pilot):
        view.to_start()
        view.show_paragraphs(True)
        await pilot.pause()
        assert screen(view)[:6] == [
            " ▸00:00:00  I came here today,  to say",
            "  00:00:02  something  that takes more",
            "            than one row of this small",
            "  00:00:03  screen,  and so  on",
            "",
            "",
        ]
        for place, x, y in ((3, 22, 3), (4, 29, 3), (2, 25, 1), (1, 33, 0), (0, 15, 0)):
            await pilot.click(view, offset=(x, y))
            assert view.cursor_id == transcript.id_at(place), "a click finds the line that is there"
        await pilot.double_click(view, offset=(33, 0))
        await pilot.pause()
        assert view.screen.get_selected_text() == "to"
        await pilot.mouse_down(view, offset=(24, 0))
        await pilot.hover(view, offset=(16, 1))
        await pilot.mouse_up(view, offset=(20, 1))
        await pilot.pause()
        assert view.screen.get_selected_text() == "today, to say something", "what is seen is what is copied"
        view.screen.clear_selection()
        view.search(Matcher(parse("on")))
        view.go_to(transcript.id_at(4))
        view.pull()
        inked = [
            part.text for part in view.render_line(3) if part.style and (part.style.underline or part.style.reverse)
        ]
        assert inked == ["on"]


async def test_in_a_paragraph_the_screen_follows_and_stays_as_with_lines() -> None:
    transcript = Transcript()
    transcript.set_partial(0, PartialText(0, "so"))
    async with shown(transcript, (40, 6)) as (view, pilot):
        view.show_paragraphs(True)
        for number in range(55):
            transcript.add(0, number * SECOND, (number + 1) * SECOND, f"word{number}")
            transcript.set_partial(0, PartialText((number + 1) * SECOND, f"word{number + 1}"))
            view.pull()
            assert f"word{number + 1}…" in "".join(screen(view)), "the end is in sight"
        await pilot.press(*["up"] * 40)
        rows = screen(view)
        assert rows[0].startswith(" ▸00:00:14  word14")
        transcript.add(0, 55 * SECOND, 56 * SECOND, "more and more")
        transcript.set_partial(0, None)
        view.pull()
        assert screen(view)[:-1] == rows[:-1], "what is read stays"
        view.go_to(transcript.id_at(30))
        assert "▸word30" in "".join(screen(view))


async def test_page_up_goes_to_the_first_line_when_all_fits() -> None:
    transcript = Transcript()
    fill(transcript, 3)
    async with shown(transcript) as (view, pilot):
        await pilot.press("pageup")
        assert view.cursor_id == transcript.id_at(0)


async def test_what_is_found_in_the_note_on_a_mark_is_drawn_so() -> None:
    transcript = Transcript()
    fill(transcript, 3)
    transcript.set_mark(transcript.id_at(1), "the kickoff")
    async with shown(transcript) as (view, pilot):
        view.search(Matcher(parse("kickoff")))
        await pilot.pause()
        view.pull()
        assert view.cursor_id == transcript.id_at(1)
        [part] = [part for part in view.render_line(1) if part.text == "kickoff"]
        assert part.style is not None
        assert part.style.reverse
