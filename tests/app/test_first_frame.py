"""The first frame: shown, with its state, before what records is loaded."""

from pathlib import Path

import pytest

from mictape.app import MictapeApp
from mictape.failure import Failure, MictapeError
from mictape.paths import places
from mictape.recording import Recording
from mictape.settings import load
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
