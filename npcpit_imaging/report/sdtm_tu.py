"""TU rows: one per lesion and reader, where and when it was first identified (SDTMIG 3.4, TU; recist.md 3.1)."""

from npcpit_imaging.report.sdtm_draft import Draft, Study, draft, group_of, is_before_treatment, link_id
from npcpit_imaging.report.sdtm_records import SubjectRead
from npcpit_imaging.report.sdtm_terms import TU_TESTS, location, method
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.lesion import LesionState


def tumor_rows(read: SubjectRead, study: Study) -> list[Draft]:
    """Give the TU rows of one reader and subject."""
    by_lesion: dict[str, list[Assessment]] = {}
    for record in sorted(read.assessments, key=lambda each: (study.visits[each.timepoint], each.lesion)):
        by_lesion.setdefault(record.lesion, []).append(record)
    rows = [_identified(read, study, records) for records in by_lesion.values()]
    merged = [row for records in by_lesion.values() for row in _merged(read, study, records)]
    return [*rows, *merged]


def _identified(read: SubjectRead, study: Study, records: list[Assessment]) -> Draft:
    """Identify a lesion at its first visit; one that split from another is identified as a split."""
    first = records[0]
    split = bool(first.parent_lesion) and first.state is not LesionState.MERGED
    row = _row(read, study, first, test="TUSPLIT" if split else "TUMIDENT", link=link_id(read, first.lesion))
    if split or not is_before_treatment(row.values, "TU", read):
        return row
    row.values["TULOBXFL"] = "Y"
    return row


def _merged(read: SubjectRead, study: Study, records: list[Assessment]) -> list[Draft]:
    """Say at which visit a lesion became one with another; the link names both."""
    first = next((record for record in records if record.state is LesionState.MERGED), None)
    if first is None:
        return []
    partner = read.tracking_uids.get(first.lesion, first.lesion)
    link = f"{link_id(read, first.parent_lesion)}/{partner}"
    return [_row(read, study, first, test="TUMERGE", link=link)]


def _row(read: SubjectRead, study: Study, record: Assessment, *, test: str, link: str) -> Draft:
    site, side = location(read.locations.get(record.lesion) or record.organ, nodal=record.nodal)
    return draft(
        "TU",
        read,
        study,
        timepoint=record.timepoint,
        day=record.date,
        values={
            "GRPID": group_of(record),
            "SPID": record.lesion,
            "LNKID": link,
            "TESTCD": test,
            "TEST": TU_TESTS[test],
            "ORRES": group_of(record),
            "STRESC": group_of(record),
            "LOC": site,
            "LAT": side,
            "METHOD": method(record.method),
            "LOBXFL": "",
        },
        qualifiers=_qualifiers(read, record),
        order=(record.lesion, test),
    )


def _qualifiers(read: SubjectRead, record: Assessment) -> dict[str, str | None]:
    days = [treated.date for treated in read.irradiations if treated.lesion == record.lesion]
    merged = record.state is LesionState.MERGED
    field = next((r.field for r in read.assessments if r.lesion == record.lesion and r.field is not None), None)
    return {
        "IRRADFL": "Y" if days or any(r.irradiated for r in read.assessments if r.lesion == record.lesion) else "N",
        "IRRADDTC": min(days).isoformat() if days else None,
        "PRIORRT": "Y" if record.prior_rt else None,
        "PROGDOC": _flag(record.prior_rt_progression),
        "BIOPSY": _flag(record.biopsy_proven),
        "INFIELD": None if field is None else field.value.upper(),
        "NODALFL": "Y" if record.nodal else None,
        "TRACKUID": read.tracking_uids.get(record.lesion),
        "PARENTID": record.parent_lesion if not merged else None,
        "MERGINTO": record.parent_lesion if merged else None,
        "ORGAN": record.organ,
    }


def _flag(value: bool | None) -> str | None:
    return None if value is None else ("Y" if value else "N")
