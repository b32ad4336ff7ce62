"""Baseline: every lesion a reader prompted at the baseline is proposed and measured, on CT or MR and then on PET.

Hand in tables/lesions.csv and tables/prompts.csv. Cases: SUBJECT/BASELINE/LESION/MODALITY.
"""

from npcpit_imaging.app.lesions import read_prompts, store_lesions
from npcpit_imaging.app.proposals import propose_from_prompt, propose_on_pet
from npcpit_imaging.app.series import one_visit_at_a_time, visit_inputs
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.volume.volume import Modality


def cases(study: Study) -> list[Case]:
    """A case per prompt, then the same lesions on PET."""
    store_lesions(study)
    prompts = [prompt for prompt in read_prompts(study) if prompt.timepoint == BASELINE]
    direct = [
        Case(
            name=f"{each.subject}/{BASELINE}/{each.lesion_id}/{each.modality}",
            inputs=(each.text, *visit_inputs(study, each.subject, BASELINE)),
        )
        for each in prompts
    ]
    on_pet = [
        Case(name=f"{each.subject}/{BASELINE}/{each.lesion_id}/{Modality.PT}", inputs=case.inputs, after=(case.name,))
        for each, case in zip(prompts, direct, strict=True)
        if each.modality is Modality.CT
    ]
    prompted = {case.name for case in direct}
    return [*direct, *one_visit_at_a_time(case for case in on_pet if case.name not in prompted)]


def run(study: Study, case: Case) -> str:
    """Propose one lesion on one modality."""
    subject, timepoint, lesion_id, modality = case.name.split("/")
    for prompt in read_prompts(study):
        if (prompt.subject, prompt.timepoint, prompt.lesion_id, prompt.modality) == (
            subject,
            timepoint,
            lesion_id,
            modality,
        ):
            return propose_from_prompt(study, prompt)
    return propose_on_pet(study, subject, timepoint, lesion_id)
