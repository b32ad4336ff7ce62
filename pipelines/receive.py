"""Receive: objects that wait in the spool go into the study, then every subject's visits are assembled.

A receiver does the first part by itself; this pipeline finishes what a stopped receiver left behind.
Cases: one per waiting object, then one per subject.
"""

from npcpit_imaging.app.receiving import Arrivals, ingest, spool_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case
from npcpit_imaging.store.images import assemble_timepoints, series_of, subjects


def cases(study: Study) -> list[Case]:
    """Every waiting object, then every subject."""
    with spool_of(study) as spool:
        waiting = [Case(name=f"object/{spooled.digest}") for spooled in spool.pending()]
    with study.database.session() as session:
        known = {code: series_of(session, subject=code) for code in subjects(session)}
    return [
        *waiting,
        *(
            Case(name=f"visits/{code}", inputs=tuple(f"{s.uid} {s.date}" for s in found))
            for code, found in known.items()
        ),
    ]


def run(study: Study, case: Case) -> str:
    """Take one object, or assemble one subject's visits."""
    kind, name = case.name.split("/", 1)
    if kind == "visits":
        with study.database.session() as session:
            points = assemble_timepoints(session, name, window_days=study.site.timepoints.window_days)
        return ", ".join(f"{point.name} {point.date}" for point in points) or "no dated series"
    with spool_of(study) as spool:
        arrivals = Arrivals(study)
        (spooled,) = [each for each in spool.pending() if each.digest == name]
        return ingest(arrivals, spool, spooled).value
