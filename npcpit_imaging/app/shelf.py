"""Volumes kept in memory for the people who are looking at them: bounded, read once however many ask at once."""

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.app.series import read_volume_of
from npcpit_imaging.app.series_policy import load_by, policy_for
from npcpit_imaging.app.study import Study
from npcpit_imaging.config.series import SeriesPolicy
from npcpit_imaging.errors import QuantityError
from npcpit_imaging.store.digests import series_digest
from npcpit_imaging.store.images import paths_of
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.volume import Modality, Volume

INT16 = np.iinfo(np.int16)


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """A volume and how its values travel.

    Args:
        volume: The volume; a PET in SUVbw.
        digest: Of the series' objects when it was read.
        stored: `(K, J, I)` int16 where every value is a whole number that fits, else float32.
    """

    volume: Volume
    digest: str
    stored: NDArray[np.int16] | NDArray[np.float32]


class Shelf:
    """The newest volumes that somebody asked for.

    Args:
        study: The study.
        size: How many are kept.
    """

    def __init__(self, study: Study, *, size: int) -> None:
        self._study = study
        self._size = size
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str], Future[Shelved]] = OrderedDict()

    def get(self, series_uid: str) -> Shelved:
        """A series as a volume; whoever asks while another reads it waits for the same one.

        Raises:
            StoreError: The series is not in the study.
            SeriesError: It is not one volume.
        """
        with self._study.database.session() as session:
            paths = tuple(self._study.objects.files(paths_of(session, series_uid)))
            key = (series_uid, series_digest(session, series_uid))  # a late slice is another key
        with self._lock:
            held = self._held.get(key)
            mine = held is None
            future: Future[Shelved] = Future() if held is None else held
            self._held[key] = future
            self._held.move_to_end(key)
            while len(self._held) > self._size:
                self._held.popitem(last=False)
        if mine:
            try:
                volume = _readable(paths, policy_for(self._study, paths))
                future.set_result(Shelved(volume=volume, digest=key[1], stored=_stored(volume)))
            except BaseException as error:
                with self._lock:
                    self._held.pop(key, None)
                future.set_exception(error)
                raise
        return future.result()

    def warm(self, series_uids: list[str]) -> None:
        """Read series in the background, so that the first prompt finds them."""

        def read() -> None:
            for uid in series_uids:
                try:
                    self.get(uid)
                except Exception:  # noqa: BLE001, S112  # the request that needs it gives the reason
                    continue

        threading.Thread(target=read, name="warm", daemon=True).start()


def _readable(paths: tuple[Path, ...], policy: SeriesPolicy) -> Volume:
    """A PET whose SUV cannot be trusted is shown in its own unit, with the reason; nothing is measured in it."""
    try:
        return read_volume_of(paths, policy)
    except QuantityError as error:
        volume = load_by(policy, paths)
        finding = Finding(code="no-suv", severity=Severity.WARNING, text=str(error))
        return replace(volume, findings=(*volume.findings, finding))


def _stored(volume: Volume) -> NDArray[np.int16] | NDArray[np.float32]:
    if volume.modality is Modality.PT:
        return volume.voxels
    whole = np.rint(volume.voxels)
    fits = whole.min() >= INT16.min and whole.max() <= INT16.max and np.array_equal(whole, volume.voxels)
    return whole.astype(np.int16) if fits else volume.voxels
