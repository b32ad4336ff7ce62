"""Lesions and prompts as people hand them in: tables/lesions.csv and tables/prompts.csv of a study folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from npcpit_imaging.app.study import Study
from npcpit_imaging.app.tables import Row, read_table
from npcpit_imaging.dicom.derived import derived_uid
from npcpit_imaging.errors import InputError, SegmentationError, TableError
from npcpit_imaging.segmentation.prompt import Prompt, parse_box, parse_line, parse_point
from npcpit_imaging.store.lesions import put_lesion
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.volume.volume import Modality

LESION_COLUMNS = (
    "subject",
    "lesion",
    "role",
    "organ",
    "location",
    "nodal",
    "irradiated",
    "prior_rt",
    "prior_rt_progression_documented",
)
PROMPT_COLUMNS = ("subject", "timepoint", "lesion", "modality", "kind", "coordinates_mm")


def parse_bidirectional(text: str) -> tuple[Prompt, ...]:
    """Read four points, the ends of the long and of the short axis.

    Raises:
        InputError: The text is not four points.
    """
    points = text.split(":")
    if len(points) != 4:
        raise InputError(f'bidirectional: expected four points as "x,y,z:x,y,z:x,y,z:x,y,z" in mm, found "{text}"')
    return parse_line(":".join(points[:2])), parse_line(":".join(points[2:]))


PARSERS: Mapping[str, Callable[[str], tuple[Prompt, ...]]] = {
    "line": lambda text: (parse_line(text),),
    "bidirectional": parse_bidirectional,
    "box": lambda text: (parse_box(text),),
    "point": lambda text: (parse_point(text),),
}
"""What a prompt may be; coordinates in LPS mm, points as ``x,y,z`` with colons between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionPrompt:
    """One prompt for one lesion at one time point.

    Args:
        series_uid: Which series, where a visit holds several of the modality; empty otherwise.
        text: The prompt as it stood in the table, for the record.
    """

    subject: str
    timepoint: str
    lesion_id: str
    modality: Modality
    series_uid: str
    prompts: tuple[Prompt, ...]
    text: str


def tracking_uid(subject: str, lesion_id: str) -> str:
    """The DICOM Tracking UID of a lesion, the same wherever it is computed."""
    return derived_uid("npcpit lesion", subject, lesion_id)


def store_lesions(study: Study) -> int:
    """Read tables/lesions.csv into the store and return the number of lesions.

    Raises:
        InputError: The table is missing.
        TableError: A line cannot be used.
        StoreError: A lesion is known with other properties.
    """
    rows = read_table(study.tables / "lesions.csv", required=LESION_COLUMNS)
    for row in rows:
        with study.database.session() as session:
            put_lesion(session, row.text("subject"), _lesion(row))
    return len(rows)


def _lesion(row: Row) -> Lesion:
    role = row.text("role").upper().replace("_", "-")
    if role not in list(LesionRole):
        raise TableError(f"role: expected {', '.join(LesionRole)}, found {role!r}", line=row.line)
    return Lesion(
        lesion_id=row.text("lesion"),
        tracking_uid=tracking_uid(row.text("subject"), row.text("lesion")),
        role=LesionRole(role),
        organ=row.text("organ"),
        location=row.text("location"),
        nodal=row.flag("nodal"),
        irradiated=row.flag("irradiated"),
        prior_rt=row.flag("prior_rt"),
        prior_rt_progression_documented=row.optional_flag("prior_rt_progression_documented"),
    )


def read_prompts(study: Study) -> list[LesionPrompt]:
    """Read tables/prompts.csv; an absent table holds no prompts.

    Raises:
        TableError: A line cannot be used.
    """
    path = study.tables / "prompts.csv"
    if not path.exists():
        return []
    return [_prompt(row) for row in read_table(path, required=PROMPT_COLUMNS, optional=("series_uid",))]


def _prompt(row: Row) -> LesionPrompt:
    modality, kind = row.text("modality").upper(), row.text("kind").lower()
    if modality not in (Modality.CT, Modality.MR, Modality.PT):
        raise TableError(f"modality: expected CT, MR or PT, found {modality!r}", line=row.line)
    if kind not in PARSERS:
        raise TableError(f"kind: expected {', '.join(PARSERS)}, found {kind!r}", line=row.line)
    text = row.text("coordinates_mm")
    try:
        prompts = PARSERS[kind](text)
    except (InputError, SegmentationError) as error:
        raise TableError(str(error), line=row.line) from error
    return LesionPrompt(
        subject=row.text("subject"),
        timepoint=row.text("timepoint"),
        lesion_id=row.text("lesion"),
        modality=Modality(modality),
        series_uid=row.values["series_uid"],
        prompts=prompts,
        text=f"{kind} {text}",
    )
