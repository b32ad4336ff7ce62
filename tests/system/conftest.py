"""Run the command line as a person does, in this process: arguments in, exit code and both streams out."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from npcpit_imaging import cli


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The JSON it printed; only a command that succeeded prints any."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    def refusal(self) -> str:
        """The message of a command that was asked for what it cannot do: an error, no traceback, nothing on stdout."""
        assert self.code == 1, (self.out, self.err)
        assert self.out == ""
        assert self.err.startswith("error: "), self.err
        assert "Traceback" not in self.err
        return self.err.removeprefix("error: ").strip()


Npcpit = Callable[..., Ended]


@pytest.fixture
def npcpit(capsys: pytest.CaptureFixture[str]) -> Npcpit:
    """Call `npcpit ARGUMENTS...` and return how it ended."""

    def call(*arguments: object) -> Ended:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ended(code=code, out=out, err=err)

    return call
