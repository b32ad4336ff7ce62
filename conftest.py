"""Doctests of the whole package, but of the modules that need the `deep` extra only where it is installed."""

from importlib.util import find_spec

NEED_DEEP = ("network.py", "training/train.py", "training/export.py")
"""The only modules that import torch or MONAI (see the import contract in pyproject.toml)."""


def _has(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:  # a test forbids the package
        return False


collect_ignore = (
    [] if _has("torch") and _has("monai") else [f"npcpit_imaging/segmentation/{name}" for name in NEED_DEEP]
)
