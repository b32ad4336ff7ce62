"""A step that Dask workers can import: what a case's name says."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.errors import InputError
from npcpit_imaging.flow.run import Case


@dataclass(frozen=True)
class Step:
    """Each attempt leaves a mark, so that a test can count them."""

    marks: Path

    def __call__(self, case: Case) -> str:
        kind, _, number = case.name.partition(" ")
        with (self.marks / case.name).open("a") as mark:
            mark.write(".")
        if kind == "bad":
            raise InputError(f"expected a file, found none for {number}")
        if kind == "poisonous" or (kind == "shaken" and (self.marks / case.name).stat().st_size == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "slow":
            time.sleep(1.0)
        deadline = time.monotonic() + 120
        while kind == "held" and time.monotonic() < deadline:  # until its worker is killed
            time.sleep(0.05)
        return f"did {number} in {os.getpid()}"
