"""Where the walk is inside an object."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.deidentify.elements import tag_name

Path = tuple[int, ...]
"""Tags of nested sequences, outermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One data set being read and the one being written.

    Args:
        source: The data set read.
        out: The data set written.
        path: Tags of the sequences around it.
        local_code: It is a code item of a scheme that nobody published.
        keep_text: It is a content item whose text an option keeps.
    """

    source: Dataset
    out: Dataset
    path: Path = ()
    local_code: bool = False
    keep_text: bool = False

    def place(self, tag: int) -> str:
        """Where an attribute lies, with keywords, for a message."""
        return ">".join(tag_name(part) for part in (*self.path, tag))


def path_text(path: Path) -> str:
    """A path as ``(gggg,eeee)>(gggg,eeee)``, for a manifest."""
    return ">".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in path)
