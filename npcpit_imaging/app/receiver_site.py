"""The receiver's settings from a site's decisions; paths are relative to the study folder."""

import ipaddress

from pydantic import ValidationError

from npcpit_imaging.app.study import Study
from npcpit_imaging.config.site import ReceiverTls
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings, TlsSettings
from npcpit_imaging.errors import ConfigError


def receiver_settings(study: Study, *, port: int | None = None) -> ReceiverSettings:
    """Everything that site.toml says of the receiver.

    Args:
        study: The study.
        port: Listen here instead of where site.toml says; 0 takes a free one.

    Raises:
        ConfigError: The site lets strangers in from elsewhere, or names no address or title that can be.
    """
    site = study.site.receiver
    try:
        return ReceiverSettings(
            host=site.host,
            port=site.port if port is None else port,
            ae_title=site.ae_title,
            allowed_calling_ae_titles=site.peers or None,
            allowed_networks=tuple(ipaddress.ip_network(str(each)) for each in site.allowed_networks) or None,
            require_called_ae_title=site.require_called_ae_title,
            max_associations=site.max_associations,
            max_pdu_bytes=site.max_pdu_bytes,
            max_object_bytes=site.max_object_bytes,
            request_timeout_s=site.request_timeout_s,
            idle_timeout_s=site.idle_timeout_s,
            tls=None if site.tls is None else _tls(study, site.tls),
        )
    except ValidationError as error:
        faults = "; ".join(fault["msg"] for fault in error.errors())
        raise ConfigError(f"site.toml: receiver: {faults}") from error


def _tls(study: Study, tls: ReceiverTls) -> TlsSettings:
    return TlsSettings(
        certificate=study.folder / tls.certificate,
        key=study.folder / tls.key,
        authority=study.folder / tls.authority,
        require_client_certificate=tls.require_client_certificate,
    )
