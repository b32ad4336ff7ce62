"""Lesions and prompts as people hand them in: tables/lesions.csv and tables/prompts.csv of a study folder."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from npcpit_imaging.app.study import Study
from npcpit_imaging.app.tables import Row, read_table
from npcpit_imaging.dicom.derived import derived_uid
from npcpit_imaging.errors import InputError, SegmentationError, StoreError, TableError
from npcpit_imaging.segmentation.prompt import Prompt, parse_axes, parse_box, parse_line, parse_point
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.lesions import lesions_of, put_lesion
from npcpit_imaging.store.schema import AssessmentRow, LesionRow
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.volume.volume import Modality

LOG = logging.getLogger(__name__)

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
        InputError: The text is not four points, or the second line is the longer one.
    """
    points = text.split(":")
    if len(points) != 4:
        raise InputError(f'bidirectional: expected four points as "x,y,z:x,y,z:x,y,z:x,y,z" in mm, found "{text}"')
    return parse_axes(":".join(points[:2]), ":".join(points[2:]))


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


def store_lesions(study: Study) -> dict[str, str]:
    """Read tables/lesions.csv into the store; a subject whose lines cannot be used keeps what was known of it.

    A lesion that no signed read names may be corrected by correcting its line; after that its line is refused.

    Returns:
        Why a subject's lesions were not stored, by subject; empty when all were. `run_pipeline` fails the cases of
        these subjects: nothing is measured on a lesion that the table says otherwise of.

    Raises:
        InputError: The table is missing.
        TableError: The table is none, or a line names no subject.
    """
    by_subject: dict[str, list[Row]] = {}
    for row in read_table(study.tables / "lesions.csv", required=LESION_COLUMNS):
        by_subject.setdefault(row.text("subject"), []).append(row)
    faults: dict[str, str] = {}
    for subject, rows in by_subject.items():
        try:
            _store_subject(study, subject, rows)
        except (TableError, StoreError) as error:
            faults[subject] = f"lesions.csv: {error}"
    return faults


def _store_subject(study: Study, subject: str, rows: Sequence[Row]) -> None:
    _refuse_repeats("lesion", [(row.line, (subject, row.text("lesion"))) for row in rows])
    with study.database.session() as session:
        if subject not in subjects(session):
            listed = ", ".join(subjects(session)) or "none"
            raise TableError(f"subject {subject}: no image of this subject has come, found {listed}", line=rows[0].line)
        known = {lesion.lesion_id: lesion for lesion in lesions_of(session, subject)}
        for row in rows:
            lesion = _lesion(row)
            if lesion.lesion_id in known:
                _correct(session, row, known[lesion.lesion_id], lesion)
            else:
                put_lesion(session, subject, lesion)


def _correct(session: Session, row: Row, known: Lesion, said: Lesion) -> None:
    """Take a corrected line over, unless a reader has signed something of the lesion as it was."""
    before, after = asdict(known), asdict(said)
    changed = {name: value for name, value in after.items() if before[name] != value}
    if not changed:
        return
    words = ", ".join(f"{name} was {_cell(before[name])}, is now {_cell(value)}" for name, value in changed.items())
    place = f"subject {row.text('subject')}, lesion {known.lesion_id}"
    signed = session.scalar(select(AssessmentRow.id).where(AssessmentRow.tracking_uid == known.tracking_uid).limit(1))
    if signed is not None or "tracking_uid" in changed:
        raise TableError(
            f"{place}: {words}; a signed read names this lesion as it was: "
            "put the earlier value back, or give the corrected lesion another name",
            line=row.line,
        )
    session.execute(update(LesionRow).where(LesionRow.tracking_uid == known.tracking_uid).values(**changed))
    LOG.warning("lesions.csv line %d: %s: %s", row.line, place, words)


def _cell(value: object) -> str:
    """A value as the table writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "empty" if value is None else str(value)


def _refuse_repeats(what: str, keys: Sequence[tuple[int, tuple[str, ...]]]) -> None:
    """Refuse a second line that says something of the same thing; which of the two counts, nobody could tell."""
    first: dict[tuple[str, ...], int] = {}
    for line, key in keys:
        if key in first:
            raise TableError(f"{what} {' '.join(key)} stands already on line {first[key]}; expected it once", line=line)
        first[key] = line


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
        TableError: A line cannot be used, or a lesion has two prompts on one modality of one visit.
    """
    path = study.tables / "prompts.csv"
    if not path.exists():
        return []
    rows = read_table(path, required=PROMPT_COLUMNS, optional=("series_uid",))
    found = [_prompt(row) for row in rows]
    keys = [(each.subject, each.timepoint, each.lesion_id, each.modality.value) for each in found]
    _refuse_repeats("prompts.csv: prompt", [(row.line, key) for row, key in zip(rows, keys, strict=True)])
    return found


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
