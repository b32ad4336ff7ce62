"""elastix's own program as the engine: its transform, read back, maps points as its own transformix does."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from npcpit_imaging.app.study import shipped
from npcpit_imaging.config.registration import Engine, EngineName, RegistrationPlan, load_plan
from npcpit_imaging.errors import MissingPartError, RegistrationCancelledError, RegistrationError
from npcpit_imaging.registration.elastix import read_elastix, run_elastix
from npcpit_imaging.registration.prepare import prepare
from npcpit_imaging.registration.search import Pair
from npcpit_imaging.volume.transform import RigidTransform

PARAMETERS = shipped("configs") / "npc-pit" / "imaging" / "registration" / "elastix"


def engine(folder: Path, **change) -> RegistrationPlan:
    return RegistrationPlan(engine=Engine(name=EngineName.ELASTIX, parameters=str(folder), **change))


def pair_of(fixed, moving, plan, cancelled=lambda: False) -> Pair:
    one, other = prepare(fixed, plan, role="fixed"), prepare(moving, plan, role="moving")
    return Pair(fixed=one, moving=other, plan=plan, cancelled=cancelled)


@pytest.fixture
def quick(tmp_path) -> Path:
    """The shipped parameter files with fewer iterations."""
    folder = tmp_path / "elastix"
    folder.mkdir()
    for file in PARAMETERS.glob("*.txt"):
        text = file.read_text().replace("(MaximumNumberOfIterations 500)", "(MaximumNumberOfIterations 30)")
        text = text.replace("SpatialSamples 2048", "SpatialSamples 800").replace("PhysicalUnits 16", "PhysicalUnits 40")
        (folder / file.name).write_text(text.replace("(NumberOfResolutions 4)", "(NumberOfResolutions 2)"))
    return folder


def test_elastix_finds_the_known_motion(elastix, quick, baseline, follow_up, phantom):
    """Rigid only (the second parameter file removed), within 3 mm, a voxel, at points of the head."""
    (quick / "2-bspline.txt").unlink()
    found = run_elastix(pair_of(follow_up, baseline, engine(quick, program=elastix)), lambda fraction, text: None)
    points = np.random.default_rng(0).uniform(-40, 40, (50, 3))
    assert isinstance(found, RigidTransform)
    assert np.linalg.norm(found.map(points) - phantom.motion.map(points), axis=1).max() < 3.0


def test_its_spline_is_read_as_transformix_reads_it(elastix, quick, baseline, follow_up, tmp_path):
    """Both parameter files; transformix maps the same points to the same places within a micrometre or two."""
    out = tmp_path / "out"
    out.mkdir()
    plan = engine(quick)
    for volume, role in ((follow_up, "fixed"), (baseline, "moving")):
        sitk.WriteImage(prepare(volume, plan, role=role).clamped, str(out / f"{role}.mha"))
    files = [argument for file in sorted(quick.glob("*.txt")) for argument in ("-p", str(file))]
    command = [elastix, "-f", "fixed.mha", "-m", "moving.mha", "-out", ".", *files]
    subprocess.run(command, cwd=out, check=True, capture_output=True)
    found = read_elastix([out / "TransformParameters.0.txt", out / "TransformParameters.1.txt"])
    points = np.random.default_rng(1).uniform(-50, 50, (40, 3))
    lines = "\n".join(" ".join(f"{value:.6f}" for value in point) for point in points)
    (out / "points.txt").write_text(f"point\n{len(points)}\n{lines}\n")
    transformix = str(Path(elastix).parent / "transformix")
    subprocess.run(
        [transformix, "-def", "points.txt", "-out", ".", "-tp", "TransformParameters.1.txt"],
        cwd=out,
        check=True,
        capture_output=True,
    )
    told = re.findall(r"OutputPoint = \[ ([^\]]*)\]", (out / "outputpoints.txt").read_text())
    wanted = np.array([[float(value) for value in place.split()] for place in told])
    assert found.map(points) == pytest.approx(wanted, abs=2e-3)
    assert np.abs(found.displacement_mm(points)).max() > 0.1


def test_a_missing_program_is_named_with_its_package(quick, baseline, follow_up):
    """Who asked for elastix and has none is told how to get it."""
    plan = engine(quick, program="no-such-elastix")
    with pytest.raises(MissingPartError, match="apt-get install elastix"):
        run_elastix(pair_of(follow_up, baseline, plan), lambda fraction, text: None)


def test_a_folder_without_parameters_is_refused(elastix, tmp_path, baseline, follow_up):
    """Nothing is assumed."""
    with pytest.raises(RegistrationError, match=r"expected parameter files \*\.txt"):
        run_elastix(pair_of(follow_up, baseline, engine(tmp_path, program=elastix)), lambda fraction, text: None)


def test_what_elastix_complains_of_is_told(elastix, tmp_path, baseline, follow_up):
    """A parameter file it cannot use ends in its own words, not in a traceback."""
    (tmp_path / "1.txt").write_text('(Transform "NoSuchTransform")\n')
    plan = engine(tmp_path, program=elastix)
    with pytest.raises(RegistrationError, match="expected exit code 0, found"):
        run_elastix(pair_of(follow_up, baseline, plan), lambda fraction, text: None)


def test_cancel_ends_the_program(elastix, quick, baseline, follow_up):
    """The wish is seen while it runs."""
    pair = pair_of(follow_up, baseline, engine(quick, program=elastix), cancelled=lambda: True)
    with pytest.raises(RegistrationCancelledError, match="while elastix ran"):
        run_elastix(pair, lambda fraction, text: None)


def test_a_plan_takes_its_parameters_from_beside_itself(tmp_path):
    """`parameters` is relative to the plan's file."""
    (tmp_path / "plan.toml").write_text('[engine]\nname = "elastix"\nparameters = "mine"\n')
    assert load_plan(tmp_path / "plan.toml").engine.parameters == str(tmp_path / "mine")


def test_another_transform_is_refused(tmp_path):
    """An affine transform would shear the patient; it is not read as something else."""
    (tmp_path / "TransformParameters.0.txt").write_text('(Transform "AffineTransform")\n')
    with pytest.raises(RegistrationError, match="expected EulerTransform, then one cubic BSplineTransform"):
        read_elastix([tmp_path / "TransformParameters.0.txt"])
