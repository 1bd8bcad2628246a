"""Records a session from the settings: the one way to do it, for the app and the command line.

Above `session`, which takes values; below the screens, so no Textual. `Recording` makes what a session needs and owns
it: `Engines` has the engine in use and changes it, `RecordedDevices` adds, removes and replaces devices, `TrackTasks`
runs the captures and followers, `Readings` and `Transcriptions` have the finished sessions that are read, or
transcribed again, beside it. `devices` says which device the settings mean.
"""

from mictape.recording.recording import Policy, Recording

__all__ = ["Policy", "Recording"]
