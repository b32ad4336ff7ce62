"""Where a verb may write: into a folder that is there, and never over what it was given."""

from collections.abc import Iterable
from pathlib import Path

from npcpit_imaging.errors import InputError


def require_output(output: Path, *inputs: Path | None) -> None:
    """Refuse a place that cannot be written to, or that holds an input, before minutes of work.

    Args:
        output: The file that is to be written.
        inputs: What it is made from: files, or folders none of whose files may be replaced; None is passed over.

    Raises:
        InputError: There is no such folder, or the output would replace an input; the message names both.
    """
    if not output.parent.is_dir():
        raise InputError(f"{output}: cannot be written, no folder {output.parent}")
    for given in _there(inputs):
        inside = given.is_dir() and output.exists() and output.resolve().is_relative_to(given.resolve())
        if inside or (output.exists() and output.samefile(given)):
            raise InputError(f"{output}: expected another file than the input {given}, which would be overwritten")


def require_different(outputs: Iterable[Path | None]) -> None:
    """Refuse two outputs of one name: the second would replace the first.

    Raises:
        InputError: Two are the same file.
    """
    named = [each.resolve() for each in outputs if each is not None]
    for place in named:
        if named.count(place) > 1:
            raise InputError(f"{place}: expected a file of its own for each output, found one name twice")


def _there(inputs: Iterable[Path | None]) -> list[Path]:
    return [given for given in inputs if given is not None and given.exists()]
