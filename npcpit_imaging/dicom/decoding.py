"""Compressed slices decoded in processes of their own, as the codecs hold the interpreter's lock (DICOM PS3.5 A.4).

A helper process is sent a file's name and frame numbers, a line of JSON, and answers with a line that describes the
values, then the values. One that cannot be started or dies costs nothing: its frames are decoded here.
"""

import json
import logging
import math
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.dicom.header import quiet, read_instance
from npcpit_imaging.dicom.instance import Instance
from npcpit_imaging.dicom.pixels import is_native, stored_values
from npcpit_imaging.errors import SeriesError

LOG = logging.getLogger(__name__)

Decode = Callable[[Instance, Sequence[int]], NDArray[np.integer]]
"""Stored values of some frames of a file, as `stored_values` gives them."""

WORTHWHILE_PIXELS = 40 * 512 * 512
"""Compressed pixels from which on helpers gain more than their start costs: about 2 s of JPEG 2000."""

MOST_HELPERS = 4
"""As many as threads that read a series at once (`voxels.READERS`): each holds one helper."""

GRACE_S = 5.0
"""How long a helper may take to end when it is told to."""


class _HelperLostError(Exception):
    """A helper process does not answer any more."""


class _Helper:
    """A process that decodes."""

    def __init__(self) -> None:
        code = f"import sys; sys.path[:] = {sys.path!r}; from npcpit_imaging.dicom.decoding import serve; serve()"
        command = [sys.executable, "-c", code]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def __call__(self, instance: Instance, indices: Sequence[int]) -> NDArray[np.integer]:
        """Decode some frames of a file.

        Raises:
            SeriesError: They cannot be decoded.
            _HelperLostError: The process is gone, or does not say what it should.
        """
        asked, answers = self._process.stdin, self._process.stdout
        if asked is None or answers is None:
            raise _HelperLostError
        try:
            asked.write(json.dumps([str(instance.path), list(indices)]).encode() + b"\n")
            asked.flush()
            answer = json.loads(answers.readline())
            if "refused" in answer:
                raise SeriesError(answer["refused"])
            kind = np.dtype(answer["dtype"])
            content = answers.read(kind.itemsize * math.prod(answer["shape"]))
            values = np.frombuffer(content, kind).reshape(answer["shape"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _HelperLostError from error
        return values

    def end(self) -> None:
        """Let the process end; kill it where it does not."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def decoder(instances: Sequence[Instance]) -> Iterator[Decode]:
    """Give a function that decodes frames of these files: in helper processes where that is quicker.

    It may be called from several threads at once.
    """
    count = _helpers_worthwhile(instances)
    helpers: list[_Helper] = []
    try:
        with suppress(OSError):
            helpers.extend(_Helper() for _ in range(count))
        yield _sharing(helpers) if helpers else stored_values
    finally:
        for helper in helpers:
            helper.end()


def _helpers_worthwhile(instances: Sequence[Instance]) -> int:
    """How many helpers to start; none in a process that is itself one of several."""
    if multiprocessing.parent_process() is not None:
        return 0
    coded = [each.pixels for each in instances if each.pixels is not None and not is_native(each.pixels)]
    frames = {id(each.pixels): len(each.frames) for each in instances}
    pixels = sum(each.rows * each.columns * frames[id(each)] for each in coded)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_HELPERS) if cores > 1 and pixels >= WORTHWHILE_PIXELS else 0


def _sharing(helpers: Sequence[_Helper]) -> Decode:
    """Return a function that takes whichever helper is free."""
    free: SimpleQueue[_Helper | None] = SimpleQueue()
    for helper in helpers:
        free.put(helper)

    def decode(instance: Instance, indices: Sequence[int]) -> NDArray[np.integer]:
        helper = free.get()
        try:
            if helper is not None:
                return helper(instance, indices)
        except _HelperLostError:
            LOG.warning("a decoding helper was lost; this process decodes its share")
            helper = None  # from now on this thread's share is decoded here
        finally:
            free.put(helper)
        return stored_values(instance, indices)

    return decode


def serve() -> None:
    """Decode what the lines of standard input ask for, until it ends: the helper's side."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # a codec's chatter must not mix with answers
    with quiet():
        for line in sys.stdin:
            path, indices = json.loads(line)
            _answer(answers, Path(path), indices)


def _answer(answers: BinaryIO, path: Path, indices: Sequence[int]) -> None:
    try:
        values = np.ascontiguousarray(stored_values(read_instance(path), indices))
    except SeriesError as error:
        answers.write(json.dumps({"refused": str(error)}).encode() + b"\n")
    else:
        answers.write(json.dumps({"shape": values.shape, "dtype": values.dtype.str}).encode() + b"\n")
        answers.write(values.data)
    answers.flush()
