"""`sessions transcribe`, `versions` and `compare`, on real speech and with the real engine."""

import os
import signal
from pathlib import Path

import pytest

from conftest import Speech
from mictape.library.folders import is_alive
from mictape.library.library import Store
from servers.base import Server
from support.command_line import called, starts
from support.example_service import leading_to
from support.sessions import sessions_of
from support.waiting import until


@pytest.mark.proof
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_session_is_transcribed_again_or_stays_as_it_was(speech: Speech, home: Path) -> None:
    assert called("import", str(speech.beckett)).returncode == 0
    [folder] = sessions_of(home)
    with Store(home / "library.db") as store:
        line = store.lines(folder.name)[2]
        store.edit_line(folder.name, line.id, "NO MATTER", line.text)
        before = list(store._db.iterdump())

    with starts("sessions", "transcribe", "last") as killed:
        until(lambda: is_alive(folder))
        killed.send_signal(signal.SIGKILL)
    until(lambda: not is_alive(folder))
    with Store(home / "library.db") as store:
        assert list(store._db.iterdump()) == before

    again = called("sessions", "transcribe", "last")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith(f"version 2 of {folder.name} by local")
    with Store(home / "library.db") as store:
        assert [each.text for each in store.lines(folder.name) if each.original] == ["NO MATTER"]
        assert store.session("last").version == 2
        store.edit_line(folder.name, store.lines(folder.name)[0].id, "Never tried", "Ever tried,")
    listed = called("sessions", "versions").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["1", "2"] and listed[1].endswith("shown")
    compared = called("sessions", "compare", "last", "1", "2")
    assert compared.stdout == "00:00:00  [Ever]{Never} tried\n"
    assert compared.stderr.startswith("1 of 12 words differ")
    same = called("sessions", "compare", "last", "2", "2")
    assert same.stdout == "" and same.stderr.startswith("version 2, local") and "the same 12 words" in same.stderr
    assert called("sessions", "versions", "last", "--use", "1").stdout.splitlines()[0].endswith("shown")


def test_what_cannot_be_transcribed_again_is_a_sentence(parrot: Server, short_room: Path, home: Path) -> None:
    imported = called("--set", "keep_audio=none", "import", *leading_to(parrot), str(short_room))
    assert imported.returncode == 0, imported.stderr
    refused = called("sessions", "transcribe", "last")
    assert refused.returncode == 2
    assert "The sound of session" in refused.stderr and "was removed" in refused.stderr
    alone = called("sessions", "compare")
    assert (alone.returncode, alone.stdout) == (0, "") and "has one version of its text" in alone.stderr
