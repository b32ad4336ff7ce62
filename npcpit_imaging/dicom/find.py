"""C-FIND in the study root model at the levels STUDY, SERIES and IMAGE (PS3.4 annex C.4.1)."""

from collections.abc import Iterator

from pydicom import Dataset
from pynetdicom.association import Association

from npcpit_imaging.dicom.archive import (
    InstanceAnswer,
    SeriesAnswer,
    StudyAnswer,
    StudyQuery,
    checked_uid,
    count_of,
    day_of,
)
from npcpit_imaging.errors import NetworkError, PeerLostError, PeerRefusedError

FIND_MODEL = "1.2.840.10008.5.1.4.1.2.2.1"
"""Study Root Query/Retrieve Information Model - FIND."""

PENDING = frozenset({0xFF00, 0xFF01})
"""Matches continue (PS3.4 table C.4-1)."""

REFUSALS = {
    0x0110: "processing failure",
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    0x0212: "mistyped argument",
    0xA801: "move destination unknown: its administrator must enter our AE title, address and port",
    0xA900: "identifier does not match the SOP class",
}
"""Statuses that another try does not change (PS3.4 tables C.4-1 to C.4-3, PS3.7 annex C)."""


def find_studies(association: Association, query: StudyQuery) -> tuple[StudyAnswer, ...]:
    """Ask for studies; only exact matches are returned."""
    keys = _keys("STUDY", StudyInstanceUID=query.study_uid, PatientID=query.patient_id)
    keys.AccessionNumber, keys.StudyDate = query.accession, query.date_range
    if not (query.patient_id + query.accession).isascii():
        keys.SpecificCharacterSet = "ISO_IR 192"
    answers = [
        StudyAnswer(
            study_uid=checked_uid(_text(found, "StudyInstanceUID"), "Study Instance UID"),
            patient_id=_text(found, "PatientID"),
            accession=_text(found, "AccessionNumber"),
            day=day_of(_text(found, "StudyDate")),
        )
        for found in _find(association, keys)
    ]
    return tuple(answer for answer in answers if query.matches(answer))


def find_series(association: Association, study_uid: str) -> tuple[SeriesAnswer, ...]:
    """Ask for a study's series."""
    keys = _keys("SERIES", StudyInstanceUID=study_uid, SeriesInstanceUID="", Modality="", SeriesDescription="")
    keys.NumberOfSeriesRelatedInstances = None
    return tuple(
        SeriesAnswer(
            study_uid=study_uid,
            series_uid=checked_uid(_text(found, "SeriesInstanceUID"), "Series Instance UID"),
            modality=_text(found, "Modality"),
            description=_text(found, "SeriesDescription"),
            count=count_of(_text(found, "NumberOfSeriesRelatedInstances")),
        )
        for found in _find(association, keys)
    )


def find_instances(association: Association, series: SeriesAnswer) -> tuple[InstanceAnswer, ...]:
    """Ask for a series' instances."""
    keys = _keys("IMAGE", StudyInstanceUID=series.study_uid, SeriesInstanceUID=series.series_uid)
    keys.SOPInstanceUID = keys.SOPClassUID = ""
    return tuple(
        InstanceAnswer(
            sop_instance_uid=checked_uid(_text(found, "SOPInstanceUID"), "SOP Instance UID"),
            sop_class_uid=_text(found, "SOPClassUID"),
        )
        for found in _find(association, keys)
    )


def _keys(level: str, **values: str) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(keys, keyword, value)
    return keys


def _find(association: Association, keys: Dataset) -> Iterator[Dataset]:
    for status, identifier in association.send_c_find(keys, FIND_MODEL):
        code = status_of(status, "C-FIND")
        if code in PENDING:
            if identifier is None:
                raise NetworkError("C-FIND: an answer of the PACS is no data set")
            yield identifier
        elif code != 0:
            raise failure_of(code, "C-FIND")


def status_of(status: Dataset, operation: str) -> int:
    """The status code of a response.

    Raises:
        PeerLostError: There was no response: silence, or the connection is gone.
    """
    code = getattr(status, "Status", None)
    if code is None:
        raise PeerLostError(f"{operation}: the PACS fell silent or broke off")
    return int(code)


def failure_of(code: int, operation: str) -> PeerLostError | PeerRefusedError:
    """The error that a failure status stands for; one that may pass is worth another try."""
    if code in REFUSALS:
        return PeerRefusedError(f"{operation}: status 0x{code:04X}: {REFUSALS[code]}")
    return PeerLostError(f"{operation}: status 0x{code:04X}")


def _text(found: Dataset, keyword: str) -> str:
    return str(found.get(keyword, "") or "").strip("\0 ")
