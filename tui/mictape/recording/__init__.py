"""Records a session from the settings: the one way to do it, for the app and the command line.

Above `session`, which takes values; below the screens, so no Textual. `Recording` makes engine, speech detector,
library and session and owns them; `devices` says which device the settings mean; `tasks` lets no coroutine fail unseen.
"""

from mictape.recording.recording import Policy, Recording

__all__ = ["Policy", "Recording"]
