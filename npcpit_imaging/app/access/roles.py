"""Roles, and what each may do: one table, which docs/serve.md shows and a test walks."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is to the study."""

    READER = "reader"
    ADJUDICATOR = "adjudicator"
    COORDINATOR = "coordinator"
    RESEARCHER = "researcher"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """What a person or a program may do. A program's token is given some of these as its scopes."""

    READ = "read"
    """Open assigned visits in their order, change a draft, sign it."""
    ADJUDICATE = "adjudicate"
    """See both readers' reads of an assigned subject, without their names, and choose one."""
    IMAGES = "images"
    """See images: a reader only the visits that are open to him, others all."""
    STORE = "store"
    """Store DICOM SEG and SR."""
    COORDINATE = "coordinate"
    """Assign reads."""
    PROGRESS = "progress"
    """See which visits are received, read and overdue; never what a read says."""
    RESULTS = "results"
    """See every reader's responses."""
    AUDIT = "audit"
    """Read and verify the audit trail."""
    ACCOUNTS = "accounts"
    """Make, disable and unlock accounts."""


PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.READER: frozenset({Permission.READ, Permission.IMAGES, Permission.STORE}),
    Role.ADJUDICATOR: frozenset({Permission.ADJUDICATE, Permission.IMAGES}),
    Role.COORDINATOR: frozenset({Permission.COORDINATE, Permission.PROGRESS}),
    Role.RESEARCHER: frozenset({Permission.IMAGES, Permission.RESULTS}),
    Role.ADMINISTRATOR: frozenset({Permission.ACCOUNTS, Permission.PROGRESS}),
    Role.AUDITOR: frozenset({Permission.AUDIT, Permission.PROGRESS, Permission.RESULTS}),
}
"""What each role may do."""

BLINDED = frozenset({Role.READER, Role.ADJUDICATOR})
"""Who must not learn of other readers' answers: these roles go with no role that sees results or the trail."""

SCOPES = (Permission.IMAGES, Permission.STORE, Permission.PROGRESS, Permission.RESULTS, Permission.AUDIT)
"""What a program's token may be given: never to read, to sign, or to make accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks.

    Args:
        name: User name, or ``token:NAME`` for a program; what the audit trail says.
        full_name: For signatures.
        code: The reader's short code, part of the names of lesions the reader adds.
        roles: Of a person; empty for a program.
        permissions: What may be done.
    """

    name: str
    full_name: str = ""
    code: str = ""
    roles: frozenset[Role] = frozenset()
    permissions: frozenset[Permission] = frozenset()

    @property
    def blinded(self) -> bool:
        """Whether only the own reads, and only the visits in order, may be seen."""
        return bool(self.roles & BLINDED)


def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    """Everything that somebody with these roles may do."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))


def conflict(roles: frozenset[Role]) -> str:
    """Why these roles must not be one person's; empty when they may.

    Example:
        >>> conflict(frozenset({Role.READER, Role.AUDITOR}))
        'reader goes with no role that sees results or the audit trail, found auditor'
    """
    seeing = sorted(role for role in roles - BLINDED if PERMISSIONS[role] & {Permission.RESULTS, Permission.AUDIT})
    blinded = sorted(roles & BLINDED)
    if blinded and seeing:
        return f"{blinded[0]} goes with no role that sees results or the audit trail, found {', '.join(seeing)}"
    return ""
