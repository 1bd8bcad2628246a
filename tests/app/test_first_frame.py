"""The first frame: shown, with its state, before what records is loaded."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.theme import Theme

from mictape import app as app_module
from mictape.app import MictapeApp
from mictape.failure import Failure, MictapeError
from mictape.paths import places
from mictape.recording import Recording
from mictape.settings import DEFAULT_THEME, load
from mictape.start import Start
from mictape.transcript.model import Transcript
from support.waiting import until_async
from support.widget_app import rows_of


@pytest.mark.parametrize(("start", "state"), [(Start(), "LOADING"), (Start(library=True), "READING")])
async def test_the_first_frame_says_its_state_before_what_records_is_loaded(
    home: Path, monkeypatch: pytest.MonkeyPatch, start: Start, state: str
) -> None:
    shown: list[str] = []
    before: list[str] = []

    def load_nothing(transcript: Transcript) -> Recording:
        del transcript
        before.extend(shown)
        raise MictapeError(Failure("That is enough"))

    def keep_state_line() -> None:
        if app.screen_stack:  # Textual calls it on leaving, too
            shown.append(rows_of(app)[0])

    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    app = MictapeApp(where, load(where), start, make=load_nothing)
    monkeypatch.setattr(app, "post_display_hook", keep_state_line)
    async with app.run_test(size=(100, 24)):
        await until_async(lambda: app.farewell, what="the end, where the recording would be loaded")
    assert before, "no frame was shown before"
    assert state in before[0]


async def test_until_the_first_frame_colours_are_worked_out_once_and_each_widget_is_styled_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    styled: Counter[str] = Counter()
    themes: list[str] = []
    apply, variables = Stylesheet.apply, app_module.css_variables

    def count_apply(sheet: Stylesheet, node: DOMNode, **options: Any) -> None:
        styled[type(node).__name__] += 1
        apply(sheet, node, **options)

    def count_variables(theme: Theme) -> dict[str, str]:
        themes.append(theme.name)
        return variables(theme)

    monkeypatch.setattr(Stylesheet, "apply", count_apply)
    monkeypatch.setattr(app_module, "css_variables", count_variables)

    def load_nothing(transcript: Transcript) -> Recording:
        raise MictapeError(Failure("That is enough"))

    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    app = MictapeApp(where, load(where), make=load_nothing)
    async with app.run_test(size=(100, 40)):
        await until_async(lambda: app.farewell, what="the end, where the recording would be loaded")
        assert app._main.has_class("-tall"), "known before its size is"
    widgets = ("MainScreen", "StatusLine", "LevelMeter", "TranscriptView", "KeyFooter")
    assert {name: styled[name] for name in widgets} == dict.fromkeys(widgets, 1)
    assert styled["DOMNode"] == 1, "a component class has one styled: Textual's for what is selected, and no other"
    assert themes == [DEFAULT_THEME]
