"""Send a folder's objects to a Storage SCP (C-STORE, PS3.4 annex B), each in the transfer syntax it is stored in."""

import socket
from collections.abc import Sequence
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pydicom.misc import is_dicom
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association

from npcpit_imaging.dicom.association import keep_answers
from npcpit_imaging.dicom.header import quiet
from npcpit_imaging.errors import InputError, NetworkError

_config.STORE_SEND_CHUNKED_DATASET = True
# An object's bytes go out as they lie in its file: never decoded, never encoded anew, whatever its values are.

SUCCESS = 0x0000
"""Status of an object that was taken (PS3.4 table B.2-1)."""

ANSWER_TIMEOUT_S = 30.0
"""How long a peer may take to answer; then what was not acknowledged is sent again over a new association."""

TRIES = 4
"""How often in a row nothing may be answered before the peer is given up."""


def send_folder(
    folder: Path, *, port: int, called_ae_title: str, host: str = "127.0.0.1", calling_ae_title: str = "NPCPIT_SCU"
) -> int:
    """Send every DICOM object below a folder and return how many were acknowledged.

    Raises:
        InputError: There is no DICOM object below the folder.
        NetworkError: The peer cannot be reached, refuses an object's class, or does not take an object.
    """
    files = _objects(folder)
    if not files:
        raise InputError(f"{folder}: expected DICOM objects, found none")
    entity = AE(ae_title=calling_ae_title)
    entity.dimse_timeout = entity.network_timeout = ANSWER_TIMEOUT_S
    for sop_class, syntax in sorted({kind for _, kind in files}):
        entity.add_requested_context(sop_class, syntax)
    paths, tried = [file for file, _ in files], 0
    while paths:
        taken = _send_some(entity, paths, host=host, port=port, called_ae_title=called_ae_title)
        paths, tried = paths[taken:], 0 if taken else tried + 1
        if tried == TRIES:
            raise NetworkError(f"{paths[0].name}: expected to be taken, found no answer")
    return len(files)


def _send_some(entity: AE, files: Sequence[Path], *, host: str, port: int, called_ae_title: str) -> int:
    """Send files over one association until one is not answered; how many were taken."""
    association = entity.associate(
        host, port, ae_title=called_ae_title, evt_handlers=[(evt.EVT_CONN_OPEN, _without_delay)]
    )
    keep_answers(association)
    if not association.is_established:
        raise NetworkError(f"{called_ae_title} at {host} port {port}: no association (not listening, or it refused us)")
    try:
        for number, file in enumerate(files):
            if not (association.is_established and _was_taken(association, file)):
                association.abort()
                return number
    finally:
        if association.is_established:
            association.release()
    return len(files)


def _objects(folder: Path) -> Sequence[tuple[Path, tuple[str, str]]]:
    found = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if is_dicom(file):
            meta = read_file_meta_info(file)
            found.append((file, (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))))
    return found


def _was_taken(association: Association, file: Path) -> bool:
    """Send one object; False when there was no answer."""
    with quiet():
        status = association.send_c_store(file)
    code = getattr(status, "Status", None)
    if code not in (SUCCESS, None):
        raise NetworkError(f"{file.name}: expected to be taken, found status 0x{code:04X}")
    return code is not None


def _without_delay(event: evt.Event) -> None:
    """Nagle's algorithm costs 40 ms an object against a delayed acknowledgement."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
