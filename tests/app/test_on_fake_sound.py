"""The real app and a session of it on devices that are made up: no sound server, no capture process."""

import re
from array import array
from pathlib import Path

import pytest
from textual.css.stylesheet import Stylesheet

from mictape.audio.tape import Tape
from mictape.engines.base import Capabilities
from mictape.frame_clock import BLURRED_HZ, FOCUSED_HZ, FrameClock
from mictape.library.library import Store
from mictape.paths import places
from mictape.recording import recorded_devices
from mictape.screens.device_picker import DevicePicker
from mictape.screens.edit_line import EditLine
from mictape.screens.help import HelpScreen
from mictape.screens.main.playing import WORD_LEAD
from mictape.screens.prompt import Ask
from mictape.session.own_playback import TAIL
from mictape.session.state import State
from mictape.settings import Settings, load
from mictape.start import Start
from mictape.transcript.line import DIVIDER
from mictape.units import RATE
from mictape.widgets.level_meter import LevelMeter
from mictape.widgets.transcript_selection import selection_of
from support.app_driver import messages, on_fake_sound, paste, recording_of, texts
from support.scripted import SLOT, SOUND, ScriptedEngine, words_in
from support.sound_system import FakeSoundSystem, device
from support.waiting import until_async
from support.widget_app import rows_of, sees


async def test_a_first_start_asks_for_a_device_and_records_it(home: Path) -> None:
    sound = FakeSoundSystem()
    async with on_fake_sound(home, sound) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("escape")
        await until_async(lambda: sees(app, "Choose what to record (d)"))
        await pilot.press("d")
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("down", "enter")
        await until_async(lambda: texts(app) == ["w1", "w2", "w3"])
        [source] = sound.sources
        assert source.name == "Headset"
    remembered = load(places({"MICTAPE_HOME": str(home)}), environ={})
    async with on_fake_sound(home, sound, settings=remembered) as (app, _):
        await until_async(lambda: texts(app) == ["w1", "w2", "w3"])
        assert sound.sources[-1].name == "Headset"


def configured(home: Path, text: str) -> Settings:
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    where.config_file.write_text(text)
    return load(where, environ={})


async def test_a_choice_that_the_configuration_overrules_at_the_next_start_is_said_to_be_one(home: Path) -> None:
    settings = configured(home, 'device = "Headset"\ntheme = "mictape-light"\n')
    config = settings.document.path
    async with on_fake_sound(home, FakeSoundSystem(), settings=settings) as (app, pilot):
        await until_async(lambda: len(texts(app)) == 3)
        await pilot.press("d")
        await until_async(lambda: isinstance(app.screen, DevicePicker) and app.screen._list.device is not None)
        await pilot.press("up", "enter")
        said = f"The device of the next start is set by {config}, line 1. Change it there to keep this one."
        await until_async(lambda: messages(app) == [said])
        assert recording_of(app).tracks[0].device == "Blue Yeti"
        of_theme = said.replace("device", "theme").replace("line 1", "line 2")
        for name, is_news in (("mictape-light", False), ("nord", True)):
            await pilot.press("T", *name, "enter")
            await until_async(lambda name=name: app.theme == name and app.screen is app._main)
            await until_async(lambda is_news=is_news: (of_theme in messages(app)) == is_news)


async def test_a_dialog_that_is_opened_has_its_own_style_sheet_parsed_and_no_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_fake_sound(home, FakeSoundSystem()) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        monkeypatch.setattr(Stylesheet, "reparse", lambda _: pytest.fail("every style sheet was parsed"))
        await pilot.press("escape", "question_mark")
        await until_async(lambda: isinstance(app.screen, HelpScreen) and app.screen.query("#frame"))
        assert app.screen.query_one("#frame").styles.border_top[0] == "round"


async def test_a_recording_whose_last_line_was_removed_is_kept(home: Path) -> None:
    sound = FakeSoundSystem(words=(*[0] * 20, 1))
    async with on_fake_sound(home, sound) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1"] and app._main.line is not None)
        await pilot.press("enter")
        await until_async(lambda: isinstance(app.screen, EditLine))
        await pilot.press("ctrl+u", "enter")
        await until_async(lambda: not texts(app))
    assert (saved := recording_of(app).saved) is not None and not saved.in_trash
    with Store(home / "library.db") as store:
        assert [each.lines for each in store.sessions()] == [0]
    async with on_fake_sound(home, sound, start=Start(continued="last")) as (app, pilot):
        await until_async(lambda: app._main.session is not None)
        await pilot.press("u")
        assert any(each.startswith("Undone: removing the line at") for each in messages(app))
        assert app._main.line is not None and app._main.line.text == "w1"


async def test_a_second_device_is_recorded_beside_it_and_taken_away_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = FakeSoundSystem(words=(1,))
    async with on_fake_sound(home, sound) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1"])

        async def press_plus_on_the_headset() -> None:
            await pilot.press("d")
            await until_async(lambda: isinstance(app.screen, DevicePicker) and app.screen._list.device is not None)
            await pilot.press("down", "plus")

        await press_plus_on_the_headset()
        await until_async(lambda: texts(app) == ["w1", "w1"])
        await press_plus_on_the_headset()
        await until_async(lambda: recording_of(app).tracks[1].tape.ended)
        assert [source.name for source in sound.sources] == ["Blue Yeti", "Headset"]
        app._main.view.go_to(app.transcript.id_at(1))
        await pilot.press("R")
        await until_async(lambda: isinstance(app.screen, Ask))
        await pilot.press(*"Anna", "enter")
        await press_plus_on_the_headset()
        await until_async(lambda: texts(app).count("w1") == 3)
        assert [track.name for track in recording_of(app).tracks] == ["You", "Anna"], "it goes on on its track"
        length = recording_of(app).tracks[1].tape.samples
    headset = sound.devices.pop()
    monkeypatch.setattr(recorded_devices, "LOOK_S", 0.05)
    async with on_fake_sound(home, sound, start=Start(continued="last")) as (app, _):
        await until_async(lambda: any("Headset is not connected" in each for each in messages(app)))
        await until_async(lambda: texts(app).count("w1") == 4)
        sound.devices.append(headset)
        await until_async(lambda: texts(app).count("w1") == 5)
        assert [track.name for track in recording_of(app).tracks] == ["You", "Anna"], "also when it is continued"
        assert recording_of(app).tracks[1].tape.samples > length


async def test_a_device_that_cannot_be_opened_leaves_the_old_one_recorded(home: Path) -> None:
    sound = FakeSoundSystem(refused={"Headset"})
    async with on_fake_sound(home, sound) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: len(texts(app)) == 3)
        await pilot.press("d")
        await until_async(lambda: isinstance(app.screen, DevicePicker) and app.screen._list.device is not None)
        await pilot.press("down", "enter")
        await until_async(lambda: any("Headset cannot be opened" in each for each in messages(app)))
        sound.sources[0].receive((3,))
        await until_async(lambda: texts(app) == ["w1", "w2", "w3", "w3"])
        assert (status := recording_of(app).status()) is not None and status.state is State.LISTENING


async def test_a_line_is_played_from_the_word_that_is_selected(home: Path) -> None:
    sound = FakeSoundSystem([device("Blue Yeti")], words=(*[0] * 20, 1, 2, 3))
    engine = ScriptedEngine(Capabilities(offline=True, word_times=True), turn_words=3)
    async with on_fake_sound(home, sound, engine=engine) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1 w2 w3"])
        line = app.transcript.line(0)
        await until_async(lambda: app._main.line is not None)
        app.screen.selections = {app._main.view: selection_of(line.id, (6, 8))}
        await pilot.press("p")
        await until_async(lambda: bool(sound.played))
        [(track, start, end)] = sound.played
        assert (track, end) == (1, line.end)
        assert abs(start - (line.start + 2 * SLOT - WORD_LEAD)) < SOUND, "w3, not the line"


async def test_a_line_is_played_from_two_seconds_before_it_until_it_is_stopped(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound = FakeSoundSystem([device("Blue Yeti")], words=(*[0] * 20, 1))
    async with on_fake_sound(home, sound) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1"])
        line = app.transcript.line(0)
        await until_async(lambda: app._main.line is not None)
        await pilot.press("p")
        await until_async(lambda: sound.played == [(1, line.start - 32_000, line.end)])
        assert sees(app, "♪")
        await pilot.press("p")
        await until_async(lambda: not sees(app, "♪"))
        await pilot.press("p")
        await until_async(lambda: sees(app, "♪"))
    assert "Playing failed" not in caplog.text, "who leaves stops it, too"
    async with on_fake_sound(home, sound, start=Start(opened="last")) as (app, pilot):
        await until_async(lambda: sees(app, "w1"))
        await pilot.press("p")
        await until_async(lambda: sees(app, "♪"))
    assert "Playing failed" not in caplog.text, "nor where it is only read"


async def test_what_mictape_plays_is_recorded_but_not_written_where_computer_sound_is(home: Path) -> None:
    sound = FakeSoundSystem([device("Blue Yeti"), device("Monitor", computer=True)], words=(1,))
    settings = Settings(device="Blue Yeti", also=("Monitor",))
    async with on_fake_sound(home, sound, settings=settings) as (app, pilot):
        await until_async(lambda: texts(app) == ["w1", "w1"])
        microphone, monitor = sound.sources
        await until_async(lambda: app._main.line is not None)
        await pilot.press("p")
        await until_async(lambda: bool(sound.played))
        monitor.receive((7, 8))
        microphone.receive((2,))
        await until_async(lambda: "w2" in texts(app))
        await pilot.press("comma")
        await until_async(lambda: len(sound.played) == 2)
        monitor.receive((7,))
        await pilot.press("p")
        await until_async(lambda: any("Mictape was playing" in text for text in texts(app)))
        monitor.receive_sound(bytes(2 * TAIL))
        monitor.receive((3,))
        await until_async(lambda: "w3" in texts(app))
        assert not {"w7", "w8"} & set(texts(app))
        assert [text for text in texts(app) if "playing" in text] == ["1 s not transcribed: Mictape was playing"]
        tape = Tape.finished(app.session.folder.path, 2) if app.session is not None else None
        assert tape is not None
        assert words_in(array("h", tape.read(0, tape.samples))) == "w1 w7 w8 w7 w3", "the tape has all of it"


async def test_the_pause_key_resumes_while_it_is_paused_and_says_so(home: Path) -> None:
    sound = FakeSoundSystem([device("Blue Yeti")], words=(1,))
    async with on_fake_sound(home, sound, settings=Settings(device="Blue Yeti")) as (app, pilot):
        await until_async(lambda: texts(app) == ["w1"])

        def first_key() -> str:
            return next((key.title for key in app._main.footer.keys), "")

        await until_async(lambda: first_key() == "pause")
        for shown in ("resume", "pause"):
            await pilot.press("space")
            await until_async(lambda shown=shown: first_key() == shown)


async def test_a_pause_leaves_a_divider_that_says_how_long_and_when(home: Path) -> None:
    sound = FakeSoundSystem([device("Blue Yeti")], words=(1,))
    async with on_fake_sound(home, sound, settings=Settings(device="Blue Yeti")) as (app, pilot):
        await until_async(lambda: texts(app) == ["w1"])
        await pilot.press("space")
        assert re.fullmatch(r"paused from \d\d:\d\d:\d\d", texts(app)[1])
        await pilot.press("t")
        await paste(pilot, "coffee")
        await pilot.press("enter")
        await until_async(lambda: len(texts(app)) == 3)
        await pilot.press("space")
        sound.sources[0].receive((2,))
        await until_async(lambda: len(texts(app)) == 4)
        assert re.fullmatch(r"paused for \d+\.\d s from \d\d:\d\d:\d\d", texts(app)[1])
        assert app.transcript.line(1).kind is DIVIDER
        assert texts(app)[2:] == ["coffee", "w2"], "what was noted in the pause is behind it"
        assert recording_of(app).tracks[0].lost == 0
        shown = texts(app)
    with Store.to_read(home / "library.db") as store:
        assert [line.text for line in store.lines(store.session("last").id)] == shown


async def test_a_device_that_is_gone_leaves_no_half_line_and_no_level_and_the_divider_names_the_cause(
    home: Path,
) -> None:
    sound = FakeSoundSystem([device("Blue Yeti")], words=(1, 2))
    engine = ScriptedEngine(turn_words=9)
    async with on_fake_sound(home, sound, engine=engine, settings=Settings(device="Blue Yeti")) as (app, _):
        await until_async(lambda: bool(app.transcript.partials))
        [source] = sound.sources
        source.go_away()
        await until_async(lambda: texts(app) == ["w1 w2"] and not app.transcript.partials)
        status = recording_of(app).status()
        assert status is not None and status.state is State.DEVICE_LOST
        await until_async(lambda: "−∞ dBFS" in app._main.meters.query_one(LevelMeter).render_line(0).text)
        source.come_back(RATE)
        await until_async(lambda: texts(app)[1:] == ["1.0 s lost: the device was gone"])
    async with on_fake_sound(home, sound, start=Start(opened="last")) as (app, _):
        await until_async(lambda: sees(app, "1.0 s lost: the device was gone"))


async def test_the_next_line_has_the_sign_of_playing_when_it_is_played_instead(home: Path) -> None:
    sound = FakeSoundSystem([device("Blue Yeti")], words=(1, 2))
    async with on_fake_sound(home, sound, settings=Settings(device="Blue Yeti")) as (app, pilot):
        await until_async(lambda: texts(app) == ["w1", "w2"])
        await until_async(lambda: app._main.line is not None)
        await pilot.press("p")
        await until_async(lambda: len(sound.played) == 1)
        await pilot.press("comma")
        await until_async(lambda: len(sound.played) == 2)
        await pilot.pause()
        assert app._main.view.playing_id == app.transcript.id_at(0)


async def test_names_of_tracks_stand_whole_before_their_meters(home: Path) -> None:
    sound = FakeSoundSystem([device("Blue Yeti"), device("Headset")], words=(1,))
    settings = Settings(device="Blue Yeti", also=("Headset",), names=("Anna Dealer", "The other one"))
    async with on_fake_sound(home, sound, settings=settings) as (app, _):
        await until_async(lambda: len(app._main.meters.children) == 2)

        def rows() -> list[str]:
            return [meter.render_line(0).text for meter in app._main.meters.query_children(LevelMeter)]

        await until_async(lambda: [row[:14] for row in rows()] == ["Anna Dealer   ", "The other one "])


@pytest.mark.parametrize(("settings", "variable"), [(Settings(animation=False), "full"), (Settings(), "none")])
async def test_reduced_motion_is_asked_for_by_the_setting_or_by_textuals_variable(
    home: Path, settings: Settings, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textual.constants.TEXTUAL_ANIMATIONS", variable)  # which Textual reads when it is imported
    async with on_fake_sound(home, FakeSoundSystem(), settings=settings) as (app, _):
        assert app.animation_level == "none"
        app.on_app_blur()
        app.on_app_focus()
        assert app._clock.moving_hz == BLURRED_HZ


async def test_motion_is_smooth_otherwise(home: Path) -> None:
    async with on_fake_sound(home, FakeSoundSystem()) as (app, _):
        assert (app.animation_level, app._clock.moving_hz) == ("full", FOCUSED_HZ)


async def test_a_note_can_be_typed_before_anything_is_recorded_and_is_not_taken_for_commands(home: Path) -> None:
    sound = FakeSoundSystem([device("Blue Yeti")], words=(1,))
    async with on_fake_sound(home, sound) as (app, pilot):
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("escape")
        await until_async(lambda: app.screen is app._main)
        await pilot.press("m")
        assert "There is no line yet." in messages(app)
        await pilot.press("t")
        await until_async(lambda: isinstance(app.screen, Ask))
        await pilot.press(*"queue", "enter")
        await until_async(lambda: sees(app, "Nothing is recorded yet"))
        await pilot.press("escape", "d")
        await until_async(lambda: isinstance(app.screen, DevicePicker))
        await pilot.press("enter")
        await until_async(lambda: texts(app) == ["w1"])
        await pilot.press("t")
        await until_async(lambda: isinstance(app.screen, Ask))
        await pilot.press(*"queue", "enter")
        await until_async(lambda: texts(app) == ["w1", "queue"])


async def test_each_report_of_the_microphone_reaches_the_clock_of_the_screen(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[int] = []
    monkeypatch.setattr(FrameClock, "reported", lambda _: reports.append(1))
    sound = FakeSoundSystem([device("Blue Yeti")], words=(1,))
    async with on_fake_sound(home, sound, settings=Settings(device="Blue Yeti")) as (app, _):
        await until_async(lambda: texts(app) == ["w1"])
        await until_async(lambda: recording_of(app).tracks[0].on_source() is None and reports)  # the first frame has it
        reports.clear()
        for _ in range(3):
            sound.sources[0].receive((0,))
        await until_async(lambda: len(reports) >= 3)


async def test_what_is_being_spoken_is_one_of_the_following_lines_that_are_named(home: Path) -> None:
    sound = FakeSoundSystem([device("Blue Yeti")], words=(1, 2, 3))
    engine = ScriptedEngine(turn_words=2)
    async with on_fake_sound(home, sound, engine=engine, settings=Settings(device="Blue Yeti")) as (app, _):
        await until_async(lambda: texts(app) == ["w1 w2"] and app.transcript.partials)
        assert app.session is not None
        undo = app.session.writer.name_speaker(app.transcript.id_at(0), "Zoe", "following")
        sound.sources[0].receive((4, 5, 6))

        def speakers() -> list[str | None]:
            return [app.transcript.line(index).speaker for index in range(len(app.transcript))]

        await until_async(lambda: texts(app) == ["w1 w2", "w3 w4", "w5 w6"])
        assert speakers() == ["Zoe", "Zoe", None], "what began later may be somebody else's"
        redo = undo(app.session.writer)
        assert speakers() == [None] * 3
        assert redo is not None
        redo(app.session.writer)
        assert speakers() == ["Zoe", "Zoe", None]
        id = app.session.folder.session
    with Store(home / "library.db") as store:
        assert [line.speaker for line in store.lines(id)] == ["Zoe", "Zoe", None]


async def test_a_mark_made_while_a_line_grows_goes_to_that_line(home: Path) -> None:
    sound = FakeSoundSystem([device("Blue Yeti")], words=(1, 2, 3))
    engine = ScriptedEngine(turn_words=2)
    async with on_fake_sound(home, sound, engine=engine, settings=Settings(device="Blue Yeti")) as (app, pilot):
        main = app._main

        def marks() -> dict[str, str]:
            return {app.transcript.text_of(id): note for id, note in app.transcript.marks.items()}

        def growing() -> str:
            return next((row for row in rows_of(app) if re.search(r"w\d…", row)), "")

        await until_async(lambda: texts(app) == ["w1 w2"] and app.transcript.partials)
        await pilot.press("m")
        await until_async(lambda: "★" in growing())
        await pilot.press("m")
        await until_async(lambda: growing() and "★" not in growing())
        await pilot.press("m")
        sound.sources[0].receive((4,))
        await until_async(lambda: texts(app) == ["w1 w2", "w3 w4"])
        assert marks() == {"w3 w4": ""}
        await pilot.press("u")
        assert not marks()
        await pilot.press("U")
        assert marks() == {"w3 w4": ""}

        sound.sources[0].receive((5,))
        await until_async(lambda: app.transcript.partials)
        await pilot.press("M", *"why")
        sound.sources[0].receive((6,))
        await until_async(lambda: texts(app)[-1] == "w5 w6")
        await pilot.press("enter")
        await until_async(lambda: marks() == {"w3 w4": "", "w5 w6": "why"})

        sound.sources[0].receive((7,))
        await until_async(lambda: app.transcript.partials)
        await pilot.press("M", *"no")
        await until_async(lambda: sees(app, "Note on what is being said"))
        await pilot.press("escape")
        await until_async(lambda: app.screen is main and growing() and "★" not in growing())
        await pilot.press("up", "down", "m")
        await until_async(lambda: marks() == {"w3 w4": ""}, what="the line under the cursor, while another one grows")

        assert app.session is not None
        writer, [track] = app.session.writer, app.session.tracks
        writer.mark_spoken(track, "lost words")
        writer.give_up(track, "the engine failed")
        assert texts(app)[-1] == "lost words", "a mark whose words never become a line is kept as a note"
