"""The sample study as readers meet it: images and lesions, nothing read yet, demo accounts with fresh passwords."""

import shutil
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from npcpit_imaging.app.access.accounts import add_account, new_password, set_password
from npcpit_imaging.app.access.roles import Role
from npcpit_imaging.app.completeness import settle_when_alone
from npcpit_imaging.app.demo import SUBJECT, hand_in_for_reading
from npcpit_imaging.app.pipelines import run_pipeline
from npcpit_imaging.app.receiving import Listener
from npcpit_imaging.app.registrations import onto_pet
from npcpit_imaging.app.series import find_series, open_series, pet_with_ct
from npcpit_imaging.app.study import Study, init_study, open_study
from npcpit_imaging.dicom.send import send_folder
from npcpit_imaging.errors import InputError
from npcpit_imaging.store.assignments import AssignmentKind, put_assignment
from npcpit_imaging.store.images import timepoints
from npcpit_imaging.store.reading_schema import AccountRow
from npcpit_imaging.volume.volume import Modality

READERS: dict[str, tuple[Role, str]] = {
    "reader1": (Role.READER, "Demo reader 1"),
    "reader2": (Role.READER, "Demo reader 2"),
    "adjudicator": (Role.ADJUDICATOR, "Demo adjudicator"),
    "coordinator": (Role.COORDINATOR, "Demo coordinator"),
    "researcher": (Role.RESEARCHER, "Demo researcher"),
    "administrator": (Role.ADMINISTRATOR, "Demo administrator"),
    "auditor": (Role.AUDITOR, "Demo auditor"),
}
"""The demo's accounts."""

DUE = timedelta(days=7)
"""How long the demo readers have."""

MARK = "reading-demo"
"""Name of the file that says a folder is a demo study, whose accounts may get new passwords."""


def make_reading_demo(folder: Path, sample: Path, *, say: Callable[[str], None]) -> list[str]:
    """Make the demo study, or take up an earlier one; returns its accounts in lines of name, role and password.

    Args:
        folder: Where; an earlier demo study there keeps its reads and gets new passwords.
        sample: The sample study with its truth.toml.
        say: Tells what is done.

    Raises:
        InputError: The sample is missing, or the folder holds something that is no demo study.
    """
    if not (folder / "vault" / MARK).is_file():
        _make(folder, sample, say)
    passwords = {name: new_password() for name in READERS}
    with open_study(folder) as study:
        for name, password in passwords.items():
            _account(study, name, password)
        _assign(study)
    shown = [f"  {name:14} {READERS[name][0]:14} {password}" for name, password in passwords.items()]
    return ["demo accounts (made for this start; name, role, password):", *shown]


def _make(folder: Path, sample: Path, say: Callable[[str], None]) -> None:
    if not (sample / "truth.toml").is_file():
        raise InputError(f"{sample}: expected the sample study with its truth.toml")
    truth = tomllib.loads((sample / "truth.toml").read_text(encoding="utf-8"))
    init_study(folder)
    try:
        hand_in_for_reading(folder, truth)
        with open_study(folder) as study:
            say(f"receiving {sample}")
            with Listener(study, port=0) as listener:
                send_folder(sample, port=listener.port, called_ae_title=study.site.receiver.ae_title)
            settle_when_alone(study, settle_s=0.0)  # the whole folder was sent: nothing more is under way
            for step in ("receive", "baseline", "followup"):
                say(step)
                run_pipeline(study, step)
            say("registering each visit's CT to its PET")
            _register_pets(study)
    except BaseException:
        shutil.rmtree(folder)  # a half-made demo would be taken for a whole one
        raise
    (folder / "vault" / MARK).write_text("made by npcpit serve --demo\n", encoding="utf-8")


def _register_pets(study: Study) -> None:
    """Register each visit's diagnostic CT to the CT of its PET, so that PET can be shown on it."""
    with study.database.session() as session:
        visits = [point.name for point in timepoints(session, SUBJECT)]
    for visit in visits:
        pair = pet_with_ct(study, SUBJECT, visit)
        if pair is not None:
            diagnostic = open_series(study, find_series(study, SUBJECT, visit, Modality.CT).uid)
            onto_pet(study, SUBJECT, visit, pair[1].uid, diagnostic)


def _account(study: Study, name: str, password: str) -> None:
    role, full_name = READERS[name]
    with study.database.session() as session:
        known = session.get(AccountRow, name) is not None
    if known:
        set_password(study, name, password, actor="demo")
    else:
        add_account(study, name, roles=frozenset({role}), password=password, full_name=full_name, actor="demo")


def _assign(study: Study) -> None:
    due = study.now().date() + DUE
    work = {
        "reader1": AssignmentKind.READER,
        "reader2": AssignmentKind.READER,
        "adjudicator": AssignmentKind.ADJUDICATOR,
    }
    with study.database.session() as session:
        for name, kind in work.items():
            put_assignment(session, subject=SUBJECT, timepoint="", username=name, kind=kind, due=due, now=study.now())
