"""Receive: objects that wait in the spool go into the study, then every subject's visits are assembled.

A receiver does the first part by itself; this pipeline finishes what a stopped receiver left behind.
Cases: one per waiting object, then one per subject.
"""

from npcpit_imaging.app.receiving import take_waiting, waiting_objects
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case
from npcpit_imaging.store.images import assemble_timepoints, series_of, subjects


def cases(study: Study) -> list[Case]:
    """Every waiting object, then every subject that has series or a waiting object."""
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
    ]


def run(study: Study, case: Case) -> str:
    """Take one object, or assemble one subject's visits."""
    kind, name = case.name.split("/", 1)
    if kind == "object":
        return take_waiting(study, case.inputs[0])
    with study.database.session() as session:
        points = assemble_timepoints(session, name, window_days=study.site.timepoints.window_days)
    return ", ".join(f"{point.name} {point.date}" for point in points) or "no dated series"
