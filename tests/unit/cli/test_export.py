"""`mictape sessions export`: a real library, every format, and what is refused."""

import json
from pathlib import Path

import msgspec
import pysubs2
import pytest
import soundfile

from conftest import Speech
from mictape.cli.main import run as mictape
from mictape.engines.base import Word
from mictape.library.export import FORMATS
from mictape.library.records import LineRecord, TrackRecord
from mictape.library.store import Store
from mictape.paths import places
from mictape.transcript.line import Kind
from mictape.units import RATE
from support.local_engine import samples_of, tape_of
from support.recognizing import recognize
from support.sound import pcm


@pytest.fixture
def sessions(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two sessions of two voices each; the current folder is the home."""
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    monkeypatch.chdir(home)
    ids: list[str] = []
    with Store(where.library, where.sessions) as store:
        for number in (1, 2):
            folder = store.create_session(title=f"Talk: {number}")
            ids.append(folder.session)
            for track in (TrackRecord(1, "You", "Yeti"), TrackRecord(2, "Anna", "Monitor")):
                store.add_track(folder.session, track)
            for id, text in enumerate(("Hello there.", "Good day."), 1):
                line = LineRecord(
                    id, id, id * 16_000, id * 16_000 + 16_000, text, engine="local", connection=1, turn=id
                )
                store.add_line(folder.session, line)
            store.close_session(folder.session)
            folder.release()
    return ids


def run(*arguments: str) -> int:
    return mictape(["sessions", "export", *arguments])


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_written_in_the_format_of_its_ending(name: str, sessions: list[str], tmp_path: Path) -> None:
    path = tmp_path / f"talk{FORMATS[name].endings[0]}"
    assert run(sessions[0], "-o", str(path)) == 0
    text = path.read_text(encoding="utf-8")
    for said in ("Hello there.", "Good day.", "You", "Anna"):
        assert said in text
    if name in ("srt", "vtt"):
        assert [event.start for event in pysubs2.SSAFile.from_string(text, format_=name)] == [1000, 2000]


def test_several_sessions_go_into_a_folder(sessions: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run(*sessions, "-o", str(tmp_path / "file")) == 2
    assert run(sessions[0], "-o", f"{tmp_path / 'one'}/") == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == [f"{sessions[0]} Talk 1.md"], "as the settings say"
    assert run(*sessions, "-o", str(tmp_path / "out"), "--format", "srt") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{id} Talk {n}.srt" for n, id in enumerate(sessions, 1)
    ]


def test_the_sound_is_written_beside_a_page_which_plays_it_from_there(sessions: list[str], tmp_path: Path) -> None:
    where = places()
    tape_of(where.sessions / sessions[0], 1, pcm(0, RATE))
    path = tmp_path / "a: 100% talk.html"
    assert run(sessions[0], "-o", str(path)) == 0
    assert "<audio" not in path.read_text(), "its sound is nowhere beside it"
    assert run(sessions[0], "-o", str(path), "--sound") == 3, "it exists"
    assert not path.with_suffix(".flac").exists()
    assert run(sessions[0], "-o", str(path), "--sound", "--force") == 0
    page = path.read_text()
    assert 'src="a%3A%20100%25%20talk.flac"' in page
    assert "file:" not in page and str(where.sessions) not in page
    samples, _ = soundfile.read(path.with_suffix(".flac"), dtype="int16", always_2d=True)
    assert samples[:, 0].tobytes() == pcm(0, RATE)


def test_the_times_of_a_part_with_its_sound_count_from_the_beginning_of_that(
    sessions: list[str], tmp_path: Path
) -> None:
    tape_of(places().sessions / sessions[0], 1, pcm(0, 4 * RATE))
    path = tmp_path / "part.srt"
    assert run(sessions[0], "-o", str(path), "--from", "0:01", "--sound") == 0
    assert [event.start for event in pysubs2.load(str(path))] == [0, 1000]
    assert soundfile.info(path.with_suffix(".flac")).frames == 3 * RATE
    assert run(sessions[0], "-o", str(tmp_path / "text.srt"), "--from", "0:01") == 0
    assert [event.start for event in pysubs2.load(str(tmp_path / "text.srt"))] == [1000, 2000]


def test_without_a_file_the_sound_has_no_place(sessions: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sessions[0], "--sound") == 2
    assert "Name one: -o FILE" in capsys.readouterr().err


def test_a_file_that_is_there_costs_no_other(
    sessions: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(sessions[0], "-o", f"{out}/") == 0
    [first] = out.iterdir()
    first.write_text("mine")
    assert run(*sessions, "-o", str(out)) == 3
    assert f"{first} exists." in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == [f"{id} Talk {n}.md" for n, id in enumerate(sessions, 1)]
    assert first.read_text() == "mine"


@pytest.mark.usefixtures("sessions")
def test_stdout_times_and_speakers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("last") == 0
    assert capsys.readouterr().out == "You: Hello there.\nAnna: Good day.\n"
    assert run("last", "--times", "--no-speakers") == 0
    assert capsys.readouterr().out == "00:00:01  Hello there.\n00:00:02  Good day.\n"
    assert run("last", "--wall-clock") == 0
    said = capsys.readouterr()
    assert said.out.startswith("00:00:01  You: Hello there.")
    assert "not known when this was recorded" in said.err
    assert run("last", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Talk: 2"


@pytest.mark.usefixtures("sessions")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["last", "-o", "talk.docx"], "No format ends in .docx"),
        (["last", "-o", "talks"], "or in / for a new folder"),
        (["last", "-o", "talk.srt", "--format", "md"], "--format says md"),
        (["nothing", "-o", "talk.srt"], "nothing"),
        (["last", "-o", "no/talk.srt"], "There is no folder"),
        (["last", "--from", "1:00", "-o", "a.srt"], "There is no text in that part of the session, which is 00:00:0"),
        (["last", "--from", "0:03", "--to", "0:01", "-o", "a.srt"], "--to is not behind --from"),
        (["last", "last", "-o", "both.VTT"], "one file, both.VTT. Name a folder: -o FOLDER --format vtt."),
    ],
)
def test_what_is_refused_is_a_sentence(
    arguments: list[str], words: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) in (2, 3)
    assert words in capsys.readouterr().err
    assert not list(home.glob("*.srt"))


@pytest.mark.usefixtures("sessions")
def test_a_part_has_the_lines_that_are_said_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    for part, said in (
        (["--from", "0:03"], "00:00:02  Anna: Good day.\n"),
        (["--to", "2s"], "00:00:01  You: Hello there.\n"),
        (["--from", "1s", "--to", "0:03"], "00:00:01  You: Hello there.\n00:00:02  Anna: Good day.\n"),
    ):
        assert run("last", "--times", *part) == 0
        assert capsys.readouterr().out == said
    assert run("last", "--from", "soon") == 2


def test_what_is_marked_can_be_exported_alone(
    sessions: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("last", "--marked") == 2
    said = "Nothing is marked there, and there are no notes: Talk: 2. Leave --marked out"
    assert said in capsys.readouterr().err
    where = places({"MICTAPE_HOME": str(home)})
    with Store(where.library, where.sessions) as store:
        store.set_mark(sessions[1], 2, "why")
        store.add_line(sessions[1], LineRecord(3, 1, 0, 0, "ask Bob", Kind.NOTE))
    assert run("last", "--marked") == 0
    assert capsys.readouterr().out == "[note: ask Bob]\n★ Anna: Good day. [why]\n", "who speaks is said as in all of it"


@pytest.mark.usefixtures("sessions")
def test_a_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("mine")
    assert run("last", "-o", str(path)) == 3
    assert path.read_text() == "mine"
    assert run("last", "-o", str(path), "--force") == 0
    assert path.read_text() != "mine"


def test_words_are_measured_where_they_were_guessed_and_english(
    home: Path, speech: Speech, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tape begins with two seconds of silence, so that the line's place on it matters."""
    where = places()
    where.prepare()
    silence = 2 * RATE
    sound = bytes(2 * silence) + samples_of(speech.beckett)[: 2 * 9 * RATE // 2]
    turns = recognize(sound).turns
    guesses = [[Word(word.text, word.start, word.end, estimated=True) for word in turn.words] for turn in turns]
    known = [msgspec.structs.replace(word, estimated=False) for word in guesses[2]]
    with Store(where.library, where.sessions) as store:
        folder = store.create_session()
        tape_of(where.sessions / folder.session, 1, sound)
        store.add_track(folder.session, TrackRecord(1, "You", "Yeti", samples=len(sound) // 2))
        for id, (turn, words, language) in enumerate(
            zip(turns, (*guesses[:2], known), (None, "de", "en"), strict=True), 1
        ):
            line = LineRecord(id, 1, turn.start, turn.end, turn.text, language=language, words=tuple(words))
            store.add_line(folder.session, line)
        store.close_session(folder.session)
        folder.release()
    assert run("last", "--format", "json", "--measure-words") == 0
    english, german, measured_before = (
        [(round(word["start_s"] * RATE), word.get("estimated", False)) for word in line["words"]]
        for line in json.loads(capsys.readouterr().out)["lines"]
    )
    wanted = recognize(sound, word_times="measured").turns[0].words
    assert [at for at, _ in english] == pytest.approx([word.start for word in wanted], abs=RATE // 10)
    assert not any(guess for _, guess in english)
    assert all(guess for _, guess in german)
    assert [at for at, _ in measured_before] == pytest.approx([word.start for word in known], abs=16)


@pytest.mark.usefixtures("sessions")
def test_the_format_is_the_one_of_the_settings_where_nothing_else_says_it(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "config.toml").write_text('[export]\nformat = "srt"\n')
    assert run("last", "-o", f"{tmp_path / 'one'}/") == 0
    assert [path.suffix for path in (tmp_path / "one").iterdir()] == [".srt"]
    capsys.readouterr()
    assert run("last") == 0
    assert "00:00:01,000 --> " in capsys.readouterr().out
    assert run("last", "--format", "txt") == 0
    assert "-->" not in capsys.readouterr().out
    assert run("last", "-o", str(tmp_path / "plain"), "--format", "vtt") == 0
    assert (tmp_path / "plain").read_text().startswith("WEBVTT")
