"""Radiomics: IBSI features of every mask that a reader accepted, and of the same lesion on PET.

Cases: SUBJECT/VISIT/LESION/MODALITY.
"""

from npcpit_imaging.app.features import accepted_masks, store_features
from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.run import Case


def cases(study: Study) -> list[Case]:
    """A case per mask."""
    return [Case(name=name, inputs=(proposal.key,)) for name, proposal in accepted_masks(study).items()]


def run(study: Study, case: Case) -> str:
    """Compute and store one mask's features."""
    return store_features(study, accepted_masks(study, subject=case.name.split("/")[0])[case.name])
