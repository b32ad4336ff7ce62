"""elastix's program as another engine (Klein 2010; elastix 5 manual): run, read back, judged like ours."""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from npcpit_imaging.config.registration import Engine
from npcpit_imaging.errors import MissingPartError, RegistrationCancelledError, RegistrationError
from npcpit_imaging.registration.search import Cancelled, Pair, Progress
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import FILES
from npcpit_imaging.volume.transform import RigidTransform

ASKED_EVERY_S = 0.1
"""How often the program's end and a cancellation are looked for."""

Parameters = dict[str, list[str]]


def run_elastix(pair: Pair, progress: Progress) -> RigidTransform | DeformableTransform:
    """Align the two clamped images with elastix.

    Args:
        pair: The images, and a plan whose engine says program, parameter files and threads.
        progress: Called with a fraction 0 to 1 and a line of text.

    Returns:
        An Euler transform, or a B-spline after an Euler transform, fixed to moving, as ours.

    Raises:
        MissingPartError: The program is not installed.
        RegistrationError: It failed, took too long, or its transform is of another kind.
        RegistrationCancelledError: The pair's `cancelled` said so.
    """
    engine = pair.plan.engine
    program, files = _program(engine), _parameter_files(engine)
    progress(0.0, f"elastix, {len(files)} parameter files")
    with tempfile.TemporaryDirectory(prefix="npcpit-elastix-") as name:
        folder = Path(name)
        for image, role in ((pair.fixed, "fixed"), (pair.moving, "moving")):
            with FILES:
                sitk.WriteImage(image.clamped, str(folder / f"{role}.mha"))
        command = [program, "-f", "fixed.mha", "-m", "moving.mha", "-out", ".", "-threads", str(engine.threads)]
        for file in files:
            command += ["-p", str(file)]
        _wait(command, folder, engine, pair.cancelled)
        return read_elastix([folder / f"TransformParameters.{number}.txt" for number in range(len(files))])


def _program(engine: Engine) -> str:
    found = shutil.which(engine.program)
    if found is None:
        raise MissingPartError(
            f"elastix: expected the program {engine.program!r} (Debian: apt-get install elastix), found none; "
            "or set [engine] name to builtin"
        )
    return found


def _parameter_files(engine: Engine) -> list[Path]:
    folder = Path(engine.parameters)
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise RegistrationError(f"elastix: expected parameter files *.txt in {folder.name}/, found none")
    return [file.resolve() for file in files]


def _wait(command: list[str], folder: Path, engine: Engine, cancelled: Cancelled) -> None:
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
        begun = time.monotonic()
        try:
            while process.poll() is None:
                if cancelled():
                    raise RegistrationCancelledError("registration cancelled while elastix ran")
                if time.monotonic() - begun > engine.timeout_s:
                    raise RegistrationError(f"elastix: expected an end within {engine.timeout_s:g} s, found none")
                time.sleep(ASKED_EVERY_S)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise RegistrationError(f"elastix: expected exit code 0, found {process.returncode}: {_fault(folder)}")


def _fault(folder: Path) -> str:
    lines = (folder / "said.txt").read_text(errors="replace").splitlines()
    told = [line.strip() for line in lines if "rror" in line and line.strip()]
    return "; ".join(told[-2:]) or "it said nothing"


def read_elastix(files: list[Path]) -> RigidTransform | DeformableTransform:
    """Read elastix's transform files, first applied first.

    Raises:
        RegistrationError: A file is missing or its transform is neither Euler nor a cubic B-spline after it.
    """
    found = RigidTransform.identity()
    spline: Parameters | None = None
    for file in files:
        if not file.is_file():
            raise RegistrationError(f"elastix: expected {file.name}, found none")
        parameters = parse_parameters(file.read_text())
        kind = parameters.get("Transform", ["none"])[0]
        if kind == "EulerTransform" and spline is None:
            found = _after(_euler(parameters), found)
        elif kind == "BSplineTransform" and spline is None and parameters["BSplineTransformSplineOrder"] == ["3"]:
            spline = parameters
        else:
            raise RegistrationError(f"elastix: expected EulerTransform, then one cubic BSplineTransform, found {kind}")
        if parameters.get("HowToCombineTransforms", ["Compose"]) != ["Compose"]:
            raise RegistrationError("elastix: expected HowToCombineTransforms Compose, found Add")
    return found if spline is None else _deformable(spline, found)


def parse_parameters(text: str) -> Parameters:
    r"""Read elastix's parameter text, ``(Name value value)`` a line.

    Example:
        >>> parse_parameters('(Size 3 4)\n(Transform "EulerTransform")')
        {'Size': ['3', '4'], 'Transform': ['EulerTransform']}
    """
    pairs = re.findall(r"^\s*\((\w+)\s+([^)]*)\)", text, re.MULTILINE)
    return {name: [word.strip('"') for word in values.split()] for name, values in pairs}


def _numbers(parameters: Parameters, name: str) -> list[float]:
    try:
        return [float(word) for word in parameters[name]]
    except (KeyError, ValueError) as error:
        raise RegistrationError(f"elastix: expected numbers as {name}, found none") from error


def _euler(parameters: Parameters) -> RigidTransform:
    euler = sitk.Euler3DTransform()
    euler.SetComputeZYX(parameters.get("ComputeZYX", ["false"]) == ["true"])
    euler.SetCenter(_numbers(parameters, "CenterOfRotationPoint"))
    euler.SetParameters(_numbers(parameters, "TransformParameters"))
    shift = np.array(euler.TransformPoint((0.0, 0.0, 0.0)))
    return RigidTransform(rotation=np.array(euler.GetMatrix()).reshape(3, 3), translation_mm=shift)


def _after(second: RigidTransform, first: RigidTransform) -> RigidTransform:
    return RigidTransform(rotation=second.rotation @ first.rotation, translation_mm=second.map(first.translation_mm))


def _deformable(parameters: Parameters, rigid: RigidTransform) -> DeformableTransform:
    """Turn elastix's order (rigid, then spline) into ours: ``R x + v(R x) = R (x + R' v(R x))``, exactly."""
    i, j, k = (int(value) for value in _numbers(parameters, "GridSize"))
    columns = np.array(_numbers(parameters, "GridDirection")).reshape(3, 3).T
    affine = np.eye(4)
    affine[:3, :3] = rigid.rotation.T @ columns * _numbers(parameters, "GridSpacing")
    affine[:3, 3] = rigid.inverse().map(_numbers(parameters, "GridOrigin"))
    coefficients = np.array(_numbers(parameters, "TransformParameters")).reshape(3, k, j, i)
    return DeformableTransform(
        rigid=rigid,
        lattice=Geometry.from_affine(affine, (k, j, i)),
        coefficients_mm=np.einsum("xy,ykji->xkji", rigid.rotation.T, coefficients),
    )
