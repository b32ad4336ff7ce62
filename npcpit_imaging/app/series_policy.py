"""How strict a study reads its series: ``[series]`` of `configs/imaging/{ct,mr,pet}.toml`, and the finding of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from npcpit_imaging.app.study import Study
from npcpit_imaging.config.series import DEFAULT_POLICY, SeriesPolicy
from npcpit_imaging.dicom.header import read_instance
from npcpit_imaging.dicom.load import load_series
from npcpit_imaging.dicom.scan import Series
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.volume import Modality, Volume

MEASURED = (Modality.CT, Modality.MR, Modality.PT)
"""Modalities that a study has a file of settings for."""

USUAL = DEFAULT_POLICY.model_dump(mode="json")
"""What is not worth a finding."""


def policy_for(study: Study, paths: Sequence[Path]) -> SeriesPolicy:
    """How strict the study reads a series: ``[series]`` of its modality's file; the defaults for what is no image.

    Raises:
        ConfigError: The file cannot be used.
    """
    modality = read_instance(paths[0]).modality if paths else ""
    return study.imaging(Modality(modality)).series if modality in MEASURED else DEFAULT_POLICY


def load_by(policy: SeriesPolicy, source: Series | Sequence[Path]) -> Volume:
    """Read a series by a study's policy; one that is not the default is a finding of the volume, with its digest."""
    volume = load_series(source, policy=policy)
    chosen = {name: value for name, value in policy.model_dump(mode="json").items() if value != USUAL[name]}
    if not chosen:
        return volume
    words = ", ".join(f"{name} = {value}" for name, value in chosen.items())
    text = f"read by the study's policy: {words} (digest {policy.digest[:16]})"
    finding = Finding(code="series-policy", severity=Severity.INFO, text=text)
    return replace(volume, findings=(*volume.findings, finding))
