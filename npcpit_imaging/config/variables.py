"""The dictionary of tables that a study hands in beside the images: clinical factors, IHC, ctDNA (docs/results.md)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from npcpit_imaging.config.base import Config


class Level(StrEnum):
    """What one row of a variable's table is about."""

    SUBJECT = "subject"
    LESION = "lesion"
    TIMEPOINT = "timepoint"
    LESION_TIMEPOINT = "lesion_timepoint"


class Kind(StrEnum):
    """What a value is."""

    NUMBER = "number"
    CATEGORY = "category"
    FLAG = "flag"
    DATE = "date"


class Group(StrEnum):
    """What a variable belongs to."""

    IMAGE = "image"
    CLINICAL = "clinical"
    TREATMENT = "treatment"
    IHC = "ihc"
    CTDNA = "ctdna"


KEYS: dict[Level, tuple[str, ...]] = {
    Level.SUBJECT: ("subject",),
    Level.LESION: ("subject", "lesion"),
    Level.TIMEPOINT: ("subject", "timepoint"),
    Level.LESION_TIMEPOINT: ("subject", "lesion", "timepoint"),
}
"""Columns that name a row at each level."""


class Variable(Config):
    """One column of one table.

    Args:
        name: The column's name, and the variable's in every result.
        file: The table, a file of the same folder.
        level: What a row is about.
        kind: What a value is. A date becomes days from the subject's first treatment.
        group: What it belongs to.
        label: In words, for figures.
        unit: Of a number.
        allowed: Every value a category may have.
        minimum: Smallest number allowed.
        maximum: Largest number allowed.
        log: Analyse the logarithm (titres, copies).
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+\.csv$")]
    level: Level
    kind: Kind
    group: Group
    label: str = ""
    unit: str = ""
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "Variable":
        number = self.kind is Kind.NUMBER
        if number and not self.unit:
            raise ValueError(f'{self.name}: a number needs its unit ("1" where it has none)')
        if (self.kind is Kind.CATEGORY) != bool(self.allowed):
            raise ValueError(f"{self.name}: allowed values belong to a category, and a category needs them")
        if not number and (self.minimum is not None or self.maximum is not None or self.log):
            raise ValueError(f"{self.name}: minimum, maximum and log are for numbers")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"{self.name}: minimum must not exceed maximum")
        if self.log and (self.minimum is None or self.minimum <= 0):
            raise ValueError(f"{self.name}: log needs a minimum above 0 (what stands for below detection?)")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that name a row of its table."""
        return KEYS[self.level]

    @property
    def words(self) -> str:
        """Label and unit; a date is analysed in days."""
        if self.kind is Kind.DATE:
            return f"{self.label or self.name} (days from first treatment)"
        unit = "" if self.unit in ("", "1") else f" ({self.unit})"
        return f"{self.label or self.name}{unit}"


class Dictionary(Config):
    """Every declared variable; a column nobody declared is refused.

    Args:
        variables: The variables (``[[variables]]`` in TOML).
    """

    variables: tuple[Variable, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Dictionary":
        names = [each.name for each in self.variables]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"variables must have different names, found twice: {', '.join(twice)}")
        for file in {each.file for each in self.variables}:
            if len({each.level for each in self.variables if each.file == file}) > 1:
                raise ValueError(f"{file}: variables of one file must have one level")
        return self

    def of(self, file: str) -> tuple[Variable, ...]:
        """The variables of one file."""
        return tuple(each for each in self.variables if each.file == file)
