"""The build hook of Mictape's wheel: it carries the bundled models, on every platform."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

import bundled_models


class BundledModels(BuildHookInterface[Any]):
    """Fetches the model files before they are packed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files complete and put them into the wheel, although git ignores them."""
        del version
        bundled_models.fetch()
        build_data["artifacts"].append("/tui/mictape/_models")
