"""Receive: objects that wait in the spool go into the study, then every subject's visits are assembled.

A receiver does the first part by itself; this pipeline finishes what a stopped receiver left behind, and names every
series that no later step will measure because it is still arriving or lacks objects.
Cases: one per waiting object, one per subject, then one per such series.
"""

from npcpit_imaging.app.receiving import take_waiting, waiting_objects
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.wholeness import require_whole, unsettled_series
from npcpit_imaging.flow.run import Case
from npcpit_imaging.store.images import assemble_timepoints, series_of, subjects

ONE_PROCESS = True
"""The spool belongs to one process."""


def cases(study: Study) -> list[Case]:
    """Every waiting object, every subject that has series or a waiting object, every series that is not whole."""
    waiting = waiting_objects(study)
    inputs: dict[str, list[str]] = {each.subject: [] for each in waiting if each.subject}
    with study.database.session() as session:
        for code in subjects(session):
            inputs[code] = [f"{series.uid} {series.date}" for series in series_of(session, subject=code)]
    for each in waiting:
        if each.subject:
            inputs[each.subject].append(each.digest)
    return [
        *(Case(name=f"object/{each.digest}", inputs=(each.file,)) for each in waiting),
        *(Case(name=f"visits/{code}", inputs=tuple(parts)) for code, parts in sorted(inputs.items())),
        *(Case(name=f"series/{each.uid}", inputs=(each.state, each.state_reason)) for each in unsettled_series(study)),
    ]


def run(study: Study, case: Case) -> str:
    """Take one object, assemble one subject's visits, or say why a series is not measured."""
    kind, name = case.name.split("/", 1)
    if kind == "object":
        return take_waiting(study, case.inputs[0])
    if kind == "series":
        require_whole(study, [name])
        return "whole by now"
    with study.database.session() as session:
        points = assemble_timepoints(session, name, window_days=study.site.timepoints.window_days)
    return ", ".join(f"{point.name} {point.date}" for point in points) or "no dated series"
