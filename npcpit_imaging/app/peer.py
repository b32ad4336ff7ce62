"""Open the PACS that a site named: its secret, its TLS, and our receiver where objects come by C-MOVE."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from npcpit_imaging.app.receiver_site import receiver_settings
from npcpit_imaging.app.study import Study
from npcpit_imaging.config.pacs import Login, PacsKind, PacsSite, Retrieve
from npcpit_imaging.dicom.archive import Archive
from npcpit_imaging.dicom.association import client_tls
from npcpit_imaging.dicom.dicomweb import WebArchive
from npcpit_imaging.dicom.inbox import Inbox
from npcpit_imaging.dicom.pacs import DimseArchive
from npcpit_imaging.dicom.receipt import Outcome
from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.spool import Spool
from npcpit_imaging.dicom.web import WebServer
from npcpit_imaging.errors import ConfigError, InputError


@contextmanager
def open_archive(study: Study, pacs: PacsSite, spool: Spool, inbox: Inbox) -> Iterator[Archive]:
    """Open the site's PACS for the time of a pull.

    Args:
        study: Paths are relative to its folder; its `[receiver]` is where a C-MOVE goes.
        pacs: The PACS.
        spool: Where our receiver puts objects.
        inbox: Counts objects, and puts those in the spool that come without our receiver.

    Raises:
        InputError: The site names no PACS.
        ConfigError: A secret or a certificate cannot be read.
        NetworkError: Our receiver cannot listen.
    """
    tls = client_tls(pacs.tls, study.folder) if pacs.tls else None
    if pacs.kind is PacsKind.DICOMWEB:
        yield WebArchive(pacs, WebServer(pacs, secret=_secret(study.folder, pacs), tls=tls), inbox)
    elif pacs.kind is PacsKind.NONE:
        raise InputError("configs/site.toml: expected a section [pacs] with a kind, found none; see docs/pull.md")
    elif pacs.retrieve is Retrieve.GET:
        yield DimseArchive(pacs, inbox, tls=tls)
    else:
        with _receiver(study, spool, inbox):
            yield DimseArchive(pacs, inbox, destination=study.site.receiver.ae_title, tls=tls)


def _receiver(study: Study, spool: Spool, inbox: Inbox) -> Receiver:
    return Receiver(receiver_settings(study), spool, lambda _: inbox.count(Outcome.STORED))


def _secret(folder: Path, pacs: PacsSite) -> str:
    if pacs.login is Login.NONE:
        return ""
    try:
        return (folder / pacs.secret).read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{pacs.secret}: expected a file with the password or token, cannot be read") from error
