"""Follow-up: each visit is registered to the baseline, then every lesion is proposed and measured.

A reader's prompt comes first; without one the baseline's mask is carried over by the registration. Registration only
says where to look: what is measured is the follow-up's own pixels. Where a reader pointed at lesions, it is proposed
which is which (split, merged, another's name); a reader decides.
Cases: SUBJECT/VISIT/registration, then SUBJECT/VISIT/LESION/MODALITY, then SUBJECT/VISIT/match, and /field:
where each lesion, a new one above all, lies to the irradiated field of tables/fields.csv.
"""

from npcpit_imaging.app.field_positions import field_inputs, planned_on, say_positions
from npcpit_imaging.app.lesions import LesionPrompt, read_prompts, store_lesions
from npcpit_imaging.app.matching import match_words
from npcpit_imaging.app.proposals import propose_from_prompt, propose_from_seed, propose_on_pet
from npcpit_imaging.app.registrations import register_visit
from npcpit_imaging.app.series import one_visit_at_a_time, visit_inputs
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case
from npcpit_imaging.store.images import subjects, timepoints
from npcpit_imaging.store.lesions import lesions_of
from npcpit_imaging.study.lesion import LesionRole
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.volume.volume import Modality

MATCH = "match"
FIELD = "field"


def cases(study: Study) -> list[Case]:
    """For every follow-up: its registration, every lesion on CT or MR, every lesion on PET.

    Lesions come from tables/lesions.csv or were marked by readers; before there are any, visits are registered.
    """
    if (study.tables / "lesions.csv").exists():
        store_lesions(study)
    prompts = {_key(each): each for each in read_prompts(study)}
    with study.database.session() as session:
        visits = [
            (code, point.name)
            for code in subjects(session)
            for point in timepoints(session, code)
            if point.name != BASELINE
        ]
    by_visit = {(subject, visit): _visit(study, subject, visit, prompts) for subject, visit in visits}
    fields = []
    for (subject, visit), own in by_visit.items():
        others = [each for each in planned_on(study, subject) if each != visit and (subject, each) in by_visit]
        fields += _field(study, subject, visit, before=own, others=others)
    return [*(case for own in by_visit.values() for case in own), *fields]


def _visit(study: Study, subject: str, visit: str, prompts: dict[tuple[str, ...], LesionPrompt]) -> list[Case]:
    inputs = (*visit_inputs(study, subject, BASELINE), *visit_inputs(study, subject, visit))
    with study.database.session() as session:
        lesions = lesions_of(session, subject)
    found = [Case(name=f"{subject}/{visit}/registration", inputs=inputs)]
    measured = []
    for lesion in lesions:
        own = [each for key, each in prompts.items() if key[:3] == (subject, visit, lesion.lesion_id)]
        carried = [] if own or lesion.role is LesionRole.NEW else [Modality.CT]
        for modality in [*(each.modality for each in own), *carried]:
            name = f"{subject}/{visit}/{lesion.lesion_id}/{modality}"
            texts = [each.text for each in own]
            measured.append(Case(name=name, inputs=(*inputs, *texts), after=() if own else (found[0].name,)))
    on_pet = [
        Case(name=case.name.rsplit("/", 1)[0] + f"/{Modality.PT}", inputs=case.inputs, after=(case.name,))
        for case in measured
        if case.name.endswith(f"/{Modality.CT}")
    ]
    prompted = {case.name for case in measured}
    pointed_at = [each.text for key, each in prompts.items() if key[:2] == (subject, visit)]
    after = tuple(case.name for case in (*found, *measured))
    compared = [each.text for key, each in prompts.items() if key[:2] in ((subject, BASELINE), (subject, visit))]
    match = [Case(name=f"{subject}/{visit}/{MATCH}", inputs=(*inputs, *compared), after=after)] if pointed_at else []
    later = [*one_visit_at_a_time(case for case in on_pet if case.name not in prompted), *match]
    return [*found, *measured, *later]


def _field(study: Study, subject: str, visit: str, *, before: list[Case], others: list[str]) -> list[Case]:
    """Where the visit's lesions lie, when a field of the subject is known; after all of them were proposed.

    A field planned on another visit comes by that visit's registration, so it waits for that and rests on its images.
    """
    told = field_inputs(study, subject)
    if not told:
        return []
    carried = [text for each in others for text in visit_inputs(study, subject, each)]
    inputs = (*told, *dict.fromkeys(text for case in before for text in case.inputs), *carried)
    after = (*(case.name for case in before), *(f"{subject}/{each}/registration" for each in others))
    return [Case(name=f"{subject}/{visit}/{FIELD}", inputs=inputs, after=after)]


def run(study: Study, case: Case) -> str:
    """Register one visit, propose one lesion, or say where its lesions lie to the field."""
    subject, visit, lesion_id, *modality = case.name.split("/")
    if lesion_id == "registration":
        return register_visit(study, subject, visit)
    if (lesion_id, modality) == (MATCH, []):
        return match_words(study, subject, visit)
    if lesion_id == FIELD and not modality:
        return say_positions(study, subject, visit)
    prompt = {_key(each): each for each in read_prompts(study)}.get((subject, visit, lesion_id, *modality))
    if prompt is not None:
        return propose_from_prompt(study, prompt)
    if modality == [Modality.PT]:
        return propose_on_pet(study, subject, visit, lesion_id)
    return propose_from_seed(study, subject, visit, lesion_id)


def _key(prompt: LesionPrompt) -> tuple[str, ...]:
    return (prompt.subject, prompt.timepoint, prompt.lesion_id, prompt.modality)
