"""A PACS spoken to by DICOMweb: QIDO-RS searches, WADO-RS retrieves as a stream (PS3.18 sections 10.4 and 10.6)."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.dicom.archive import (
    InstanceAnswer,
    SeriesAnswer,
    StudyAnswer,
    StudyQuery,
    checked_uid,
    count_of,
    day_of,
)
from npcpit_imaging.dicom.inbox import Inbox
from npcpit_imaging.dicom.multipart import Multipart, boundary_of
from npcpit_imaging.dicom.part10 import ObjectHeader, parse_head, split_head
from npcpit_imaging.dicom.web import JsonObject, WebServer, check_status
from npcpit_imaging.errors import DicomError

PAGE = 1000
"""Answers asked for at once; a server may give fewer."""

ABSENT = frozenset({404, 410})
"""Statuses of an object that is not there (any more): nothing arrives, and the comparison of UIDs tells."""

OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""Objects as the server holds them, without transcoding (PS3.18 section 8.7.3.5.2)."""

STUDY_UID, SERIES_UID, SOP_UID, SOP_CLASS = "0020000D", "0020000E", "00080018", "00080016"
PATIENT_ID, ACCESSION, STUDY_DATE = "00100020", "00080050", "00080020"
MODALITY, DESCRIPTION, COUNT = "00080060", "0008103E", "00201209"


class WebArchive:
    """A PACS that speaks DICOMweb; an `Archive`.

    Args:
        pacs: Its AE title stands in the file meta of what it sends.
        server: Where it is.
        inbox: Where objects go.
    """

    def __init__(self, pacs: PacsSite, server: WebServer, inbox: Inbox) -> None:
        self._pacs = pacs
        self._server = server
        self._inbox = inbox

    def echo(self) -> None:
        """Search for one study: DICOMweb has no verification service."""
        self._server.json("studies", {"limit": "1"})

    def studies(self, query: StudyQuery) -> tuple[StudyAnswer, ...]:
        """Search for studies; only exact matches are returned."""
        keys = {
            "PatientID": query.patient_id,
            "AccessionNumber": query.accession,
            "StudyInstanceUID": query.study_uid,
            "StudyDate": query.date_range,
        }
        asked = {key: value for key, value in keys.items() if value}
        answers = [
            StudyAnswer(
                study_uid=checked_uid(_text(found, STUDY_UID), "Study Instance UID"),
                patient_id=_text(found, PATIENT_ID),
                accession=_text(found, ACCESSION),
                day=day_of(_text(found, STUDY_DATE)),
            )
            for found in self._search("studies", asked, STUDY_UID, include=(PATIENT_ID, ACCESSION, STUDY_DATE))
        ]
        return tuple(answer for answer in answers if query.matches(answer))

    def series(self, study_uid: str) -> tuple[SeriesAnswer, ...]:
        """Search for a study's series."""
        found = self._search(f"studies/{study_uid}/series", {}, SERIES_UID, include=(MODALITY, DESCRIPTION, COUNT))
        return tuple(
            SeriesAnswer(
                study_uid=study_uid,
                series_uid=checked_uid(_text(each, SERIES_UID), "Series Instance UID"),
                modality=_text(each, MODALITY),
                description=_text(each, DESCRIPTION),
                count=count_of(_text(each, COUNT)),
            )
            for each in found
        )

    def instances(self, series: SeriesAnswer) -> tuple[InstanceAnswer, ...]:
        """Search for a series' instances."""
        found = self._search(f"{_path(series)}/instances", {}, SOP_UID, include=(SOP_CLASS,))
        return tuple(
            InstanceAnswer(
                sop_instance_uid=checked_uid(_text(each, SOP_UID), "SOP Instance UID"),
                sop_class_uid=_text(each, SOP_CLASS),
            )
            for each in found
        )

    def retrieve(self, series: SeriesAnswer, wanted: Sequence[InstanceAnswer], *, whole: bool) -> None:
        """Retrieve a series as one stream, or objects one by one."""
        if whole:
            self._fetch(_path(series))
            return
        for each in wanted:
            self._fetch(f"{_path(series)}/instances/{each.sop_instance_uid}")

    def _search(
        self, path: str, keys: Mapping[str, str], unique: str, *, include: Sequence[str]
    ) -> Iterator[JsonObject]:
        """Turn pages until one brings nothing new: servers cap their pages, and some know no offset."""
        seen: set[str] = set()
        for page in itertools.count():
            parameters = {**keys, "includefield": ",".join(include), "limit": str(PAGE)}
            if page:
                parameters["offset"] = str(len(seen))
            new = {
                _text(found, unique): found for found in self._server.json(path, parameters, absent=path != "studies")
            }
            fresh = [found for uid, found in new.items() if uid not in seen]
            if not fresh:
                return
            yield from fresh
            seen |= new.keys()

    def _fetch(self, path: str) -> None:
        with self._server.get(path, {}, accept=OBJECTS) as response:
            if response.status in ABSENT:
                return
            check_status(response.status)
            body = Multipart(response.read1, boundary_of(response.headers.get("Content-Type", "")))
            for part in body.parts():
                self._keep(part)

    def _keep(self, part: Iterator[memoryview]) -> None:
        head, rest = split_head(part)
        try:
            header = parse_head(head, calling_ae_title=self._pacs.ae_title, called_ae_title=self._pacs.calling_ae_title)
        except DicomError:
            nameless = ObjectHeader(
                sop_class_uid="",
                sop_instance_uid="",
                transfer_syntax_uid="",
                calling_ae_title=self._pacs.ae_title,
                called_ae_title=self._pacs.calling_ae_title,
            )
            self._inbox.keep_unreadable(nameless, itertools.chain([memoryview(head)], rest))
            return
        self._inbox.keep(header, rest)


def _path(series: SeriesAnswer) -> str:
    return f"studies/{series.study_uid}/series/{series.series_uid}"


def _text(found: JsonObject, tag: str) -> str:
    """First value of an element of DICOM JSON as text; empty where there is none (PS3.18 F.2.2)."""
    element = found.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]).strip() if isinstance(values, list) and values and values[0] is not None else ""
