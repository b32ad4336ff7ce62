"""Edit checks of the follow-ups: lesions, states, methods, new lesions (Eisenhauer 2009, 4.3; EORTC FAQ)."""

from collections.abc import Iterator

from npcpit_imaging.response.checking import Check, Read, error, info, warning
from npcpit_imaging.response.new_lesion import field_by_distance, in_blackout, is_pet
from npcpit_imaging.study.assessment import mm_text
from npcpit_imaging.study.lesion import EndoscopyState, LesionRole, LesionState
from npcpit_imaging.study.response import NewLesion

_NOT_FOR_TARGETS = (
    LesionState.PRESENT,
    LesionState.INCREASED,
    LesionState.UNEQUIVOCAL_PD,
    LesionState.EQUIVOCAL,
    LesionState.UNEQUIVOCAL,
    LesionState.DISPROVED,
)


def _missing(read: Read) -> Iterator[str]:
    for visit in read.chart.follow_ups:
        for lesion in (*read.chart.targets, *read.chart.non_targets):
            if not read.chart.pieces(visit, lesion):
                yield f"{lesion} has no row at {visit.name} and counts as not assessed"


def _target_state(read: Read) -> Iterator[str]:
    for visit, row in read.rows_in(*_NOT_FOR_TARGETS):
        if row.role is LesionRole.TARGET:
            yield f"{row.lesion} at {visit.name}: expected a size, too small, absent or not assessed, found {row.state}"


def _non_target_state(read: Read) -> Iterator[str]:
    for visit, row in read.rows_in(LesionState.EQUIVOCAL, LesionState.DISPROVED):
        if row.role is LesionRole.NON_TARGET:
            expected = "present, increased, absent or unequivocal_pd"
            yield f"{row.lesion} at {visit.name}: expected {expected}, found {row.state}"


def _removed(read: Read) -> Iterator[str]:
    for visit, row in read.rows_in(LesionState.REMOVED):
        yield f"{row.lesion} was removed before {visit.name}; its response can no longer be told"


def _method_changed(read: Read) -> Iterator[str]:
    first: dict[str, str] = {}
    allowed = {method.upper() for method in read.protocol.method_fallback}
    for visit, row in read.rows():
        before = first.setdefault(row.lesion, row.method)
        if before and row.method and row.method != before:
            listed = " (a fallback of the protocol)" if row.method.upper() in allowed else ""
            yield f"{row.lesion} at {visit.name}: {row.method}{listed}, but {before} at baseline"


def _thicker(read: Read) -> Iterator[str]:
    first: dict[str, int] = {}
    for visit, row in read.rows():
        if row.slice_thickness is None:
            continue
        before = first.setdefault(row.lesion, row.slice_thickness)
        if row.slice_thickness > before:
            thick = mm_text(row.slice_thickness)
            yield f"{row.lesion} at {visit.name}: slices of {thick} mm, but {mm_text(before)} mm at its first read"


def _organ_changed(read: Read) -> Iterator[str]:
    first: dict[str, str] = {}
    for visit, row in read.rows():
        before = first.setdefault(row.lesion, row.organ)
        if row.organ != before:
            yield f"{row.lesion} at {visit.name}: organ {row.organ or 'missing'}, but {before or 'missing'} before"


def _pd_without_comment(read: Read) -> Iterator[str]:
    for visit, row in read.rows_in(LesionState.UNEQUIVOCAL_PD):
        if not row.comment:
            yield f"{row.lesion} at {visit.name}: unequivocal progression needs the reader's words, found none"


def _new_without_words(read: Read) -> Iterator[str]:
    rows = {visit.name: visit.by_lesion for visit in read.chart.follow_ups} if read.chart.new else {}
    for tp in read.answer.timepoints:
        for sighting in tp.new.certain:
            row = rows[tp.timepoint][sighting.lesion]
            if not row.organ and not row.comment:
                yield f"new lesion {sighting.lesion} at {tp.timepoint}: expected an organ or a comment, found neither"


def _new_without_field(read: Read) -> Iterator[str]:
    for tp in read.answer.timepoints:
        for sighting in tp.new.certain:
            if sighting.field is None and read.case.irradiations:
                yield f"new lesion {sighting.lesion} at {tp.timepoint}: in, at the margin of, or outside the field?"


def _field_differs(read: Read) -> Iterator[str]:
    for visit, row in read.rows():
        derived = field_by_distance(row, read.protocol)
        if row.field is not None and derived is not None and derived is not row.field:
            yield f"{row.lesion} at {visit.name}: field says {row.field}, its distance from the field says {derived}"


def _small_new_node(read: Read) -> Iterator[str]:
    least = read.protocol.normal_short_axis_mm * 10
    for visit, row in read.rows():
        if row.role is LesionRole.NEW and row.nodal and row.size is not None and row.size < least:
            yield f"{row.lesion} at {visit.name}: a node of {mm_text(row.size)} mm short axis is normal, not new"


def _equivocal_open(read: Read) -> Iterator[str]:
    if read.answer.timepoints and read.answer.timepoints[-1].new.indicator is NewLesion.EQUIVOCAL:
        tp = read.answer.timepoints[-1]
        names = ", ".join(sighting.lesion for sighting in tp.new.sightings)
        yield f"{names} at {tp.timepoint} is equivocal: look again at the next scan"


def _retro_dated(read: Read) -> Iterator[str]:
    for tp in read.answer.timepoints:
        if tp.retro_dated_by:
            yield f"{tp.timepoint}: progression dated back: {tp.retro_dated_by} proved the lesion first seen here"


def _disproved_late(read: Read) -> Iterator[str]:
    certain: set[str] = set()
    for visit, tp in zip(read.chart.follow_ups, read.answer.timepoints, strict=True):
        for lesion in sorted(certain):
            row = visit.by_lesion.get(lesion)
            if row is not None and row.state is LesionState.DISPROVED:
                yield f"{lesion} is disproved at {visit.name}, but was a certain new lesion before"
        certain |= {sighting.lesion for sighting in tp.new.certain}


def _endoscopy_disagrees(read: Read) -> Iterator[str]:
    for visit, row in read.rows():
        if row.endoscopy is None:
            continue
        tumour = row.endoscopy in (EndoscopyState.NON_CR_NON_PD, EndoscopyState.PD)
        if row.state is LesionState.ABSENT and tumour:
            yield f"{row.lesion} at {visit.name}: absent on imaging, but endoscopy says {row.endoscopy}"
        elif row.endoscopy is EndoscopyState.PD and row.state is not LesionState.UNEQUIVOCAL_PD:
            yield f"{row.lesion} at {visit.name}: endoscopy says {row.endoscopy}, imaging says {row.state}"


def _pet_blackout(read: Read) -> Iterator[str]:
    days = [treatment.date for treatment in read.case.irradiations]
    for visit, row in read.rows():
        if row.role is LesionRole.NEW and is_pet(row) and in_blackout(row.date, days, read.protocol):
            yield (
                f"{row.lesion} at {visit.name}: PET within {read.protocol.pet_blackout_days} days of light treatment "
                "cannot tell tumour from inflammation"
            )


def _split_beside_parent(read: Read) -> Iterator[str]:
    for visit in read.chart.follow_ups:
        for parent, fragments in sorted(read.chart.fragments.items()):
            if parent in visit.by_lesion and any(name in visit.by_lesion for name in fragments):
                yield f"{parent} at {visit.name} has a row beside its fragments: counted as the part that kept the name"


def _merged_alone(read: Read) -> Iterator[str]:
    for visit, row in read.rows_in(LesionState.MERGED):
        if row.parent_lesion not in visit.by_lesion:
            yield f"{row.lesion} at {visit.name} merged into {row.parent_lesion}, which has no row there"


FOLLOW_UP_CHECKS: tuple[Check, ...] = (
    warning("lesion-missing", _missing),
    error("target-state", _target_state),
    error("non-target-state", _non_target_state),
    warning("lesion-removed", _removed),
    warning("method-changed", _method_changed),
    info("slices-thicker", _thicker),
    warning("organ-changed", _organ_changed),
    error("pd-without-comment", _pd_without_comment),
    warning("new-lesion-without-words", _new_without_words),
    warning("new-lesion-without-field", _new_without_field),
    warning("field-differs", _field_differs),
    warning("new-node-normal", _small_new_node),
    warning("new-lesion-equivocal", _equivocal_open),
    info("retro-dated", _retro_dated),
    error("new-lesion-disproved-late", _disproved_late),
    warning("endoscopy-disagrees", _endoscopy_disagrees),
    warning("pet-blackout", _pet_blackout),
    warning("split-beside-parent", _split_beside_parent),
    error("merged-alone", _merged_alone),
)
