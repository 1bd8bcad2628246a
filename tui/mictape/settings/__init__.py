"""Settings: what there is (`schema`), which value is in force (`loading`), what the app remembers (`remembered`).

Imported by the command line, the screens and what is above the session; the session and all below take plain values.
"""

from mictape.settings.document import Document
from mictape.settings.loading import LOCAL_MODEL, Given, assignment, check_engines, load, read_config
from mictape.settings.remembered import Choices, ChosenDevice, recall, remember
from mictape.settings.schema import (
    DECLARATIONS,
    DEFAULT_ENGINE,
    DEFAULT_THEME,
    KEYS,
    MIX,
    PRESET,
    PRESETS,
    Audio,
    KeepAudio,
    Origin,
    Settings,
)

__all__ = [
    "DECLARATIONS",
    "DEFAULT_ENGINE",
    "DEFAULT_THEME",
    "KEYS",
    "LOCAL_MODEL",
    "MIX",
    "PRESET",
    "PRESETS",
    "Audio",
    "Choices",
    "ChosenDevice",
    "Document",
    "Given",
    "KeepAudio",
    "Origin",
    "Settings",
    "assignment",
    "check_engines",
    "load",
    "read_config",
    "recall",
    "remember",
]
