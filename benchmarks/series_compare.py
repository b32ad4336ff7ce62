"""Our volumes against dcm2niix's NIfTI files: every series below a folder, voxel by voxel in world coordinates.

A series' files are copied into a folder of their own, so that both programs see the same files and nothing else. A
voxel of ours is compared with the voxel of theirs whose centre lies at the same place; no value is interpolated.
"""

import json
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from npcpit_imaging.config.series import Choice, SeriesPolicy
from npcpit_imaging.dicom.instance import Kind
from npcpit_imaging.dicom.load import load_series
from npcpit_imaging.dicom.scan import Series, scan
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.volume.files import RAS_TO_LPS
from npcpit_imaging.volume.volume import Volume

LENIENT = SeriesPolicy(single_slice=Choice.ALLOW, gap=Choice.REFUSE)
"""A lone slice is converted by dcm2niix too; everything else stays as strict as it is."""

SAME_PLACE = 0.01
"""Farthest, in voxels, that the corners of two grids may lie apart: their NIfTI affine is float32."""


ROUNDING_ULPS = 2.0
"""dcm2niix multiplies in single precision with a slope rounded to it: half a unit each, and ours is rounded once."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One series: what both made of it.

    Args:
        where: Folder, relative to the one compared.
        modality: Of the series.
        slices: In the series.
        ours: ``volume`` or the refusal.
        theirs: Number of images dcm2niix made of it, with its warnings.
        places: Largest distance of corresponding corners in mm; None where there is nothing to compare.
        values: Largest difference of voxel values; None likewise.
        ulps: Largest difference in units of the last place of a float32, voxel by voxel.
        verdict: ``identical``, ``rounding``, ``differs`` or ``not comparable``.
    """

    where: str
    modality: str
    slices: int
    ours: str
    theirs: str
    places: float | None = None
    values: float | None = None
    ulps: float | None = None
    verdict: str = "not comparable"


def compare(folder: Path, *, as_json: bool) -> int:
    """Compare every image series below a folder and print a table; 1 when a comparable one differs."""
    rows = []
    for series in scan(folder).series:
        if series.kind is Kind.IMAGE:
            rows.append(_compare(series, folder))
    print("| series | slices | ours | dcm2niix | places off mm | values off | verdict |", "|---" * 7 + "|", sep="\n")
    for row in rows:
        places = "" if row.places is None else f"{row.places:.2g}"
        values = "" if row.values is None else f"{row.values:.3g} ({row.ulps:g} ulp)"
        print(
            f"| {row.where} {row.modality} | {row.slices} | {row.ours} | {row.theirs} | {places} | {values} "
            f"| {row.verdict} |"
        )
    if as_json:
        print(json.dumps({"series": [asdict(row) for row in rows]}))
    return int(any(row.verdict == "differs" for row in rows))


def _compare(series: Series, root: Path) -> Compared:
    where = series.first.path.parent.relative_to(root).as_posix()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        theirs, said = _dcm2niix(series, work)
        try:
            volume, ours = load_series(series, policy=LENIENT), "volume"
        except NpcpitError as error:
            volume, ours = None, str(error).split(": ", 1)[-1][:140]
        start = {
            "where": where,
            "modality": series.modality,
            "slices": series.frame_count,
            "ours": ours,
            "theirs": said,
        }
        if volume is None or len(theirs) != 1:
            return Compared(**start)
        return _voxel_by_voxel(start, volume, nib.load(theirs[0]))


def _dcm2niix(series: Series, work: Path) -> tuple[list[Path], str]:
    source, target = work / "in", work / "out"
    source.mkdir()
    target.mkdir()
    for number, instance in enumerate(series.instances):
        shutil.copyfile(instance.path, source / f"{number:05d}.dcm")
    command = ["dcm2niix", "-z", "n", "-b", "n", "-f", "x", "-o", str(target), str(source)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    warnings = sorted({line for line in (ended.stdout + ended.stderr).splitlines() if "arning" in line})
    files = sorted(target.glob("*.nii"))
    return files, f"{len(files)} image(s)" + "".join(f"; {line[:100]}" for line in warnings[:2])


def _voxel_by_voxel(start: dict, volume: Volume, image: nib.Nifti1Image) -> Compared:
    affine = RAS_TO_LPS @ volume.geometry.affine
    theirs, their_affine = _in_our_order(np.asarray(image.dataobj, np.float64), image.affine, affine)
    ours = volume.voxels.T.astype(np.float64)
    if theirs.shape != ours.shape:
        return Compared(**{**start, "theirs": f"{start['theirs']} of {theirs.shape}"}, verdict="differs")
    ends = [
        (i, j, k, 1) for i in (0, ours.shape[0] - 1) for j in (0, ours.shape[1] - 1) for k in (0, ours.shape[2] - 1)
    ]
    places = float(np.abs(np.array(ends) @ (affine - their_affine).T).max())
    off = np.abs(ours - theirs)
    ulps = float((off / np.spacing(np.abs(theirs).astype(np.float32)).astype(np.float64)).max())
    if places > SAME_PLACE * min(volume.geometry.spacing_mm) or ulps > ROUNDING_ULPS:
        verdict = "differs"
    else:
        verdict = "rounding" if ulps else "identical"
    return Compared(**start, places=places, values=float(off.max()), ulps=ulps, verdict=verdict)


def _in_our_order(
    theirs: NDArray[np.float64], their_affine: NDArray[np.float64], affine: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Their voxels with axes in the order and direction of ours: flips and permutations alone."""
    theirs = theirs.reshape(theirs.shape[:3]) if theirs.ndim > 3 and theirs.shape[3:] == (1,) else theirs
    if theirs.ndim == 2:
        theirs = theirs[..., None]
    turn = ornt_transform(io_orientation(their_affine), io_orientation(affine))
    return apply_orientation(theirs, turn), their_affine @ inv_ornt_aff(turn, theirs.shape[:3])
