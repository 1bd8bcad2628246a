"""Utterances for the simulated AssemblyAI server."""

from servers.assemblyai import Said, Speech, Utterance

WORDS = ("the", "kettle", "is", "boiling")


def talk(turns: int) -> Speech:
    """The same four words every two seconds."""
    return Speech(
        *(
            Utterance(
                *(
                    Said(word, 500 + turn * 2000 + 200 * at, 650 + turn * 2000 + 200 * at)
                    for at, word in enumerate(WORDS)
                )
            )
            for turn in range(turns)
        )
    )
