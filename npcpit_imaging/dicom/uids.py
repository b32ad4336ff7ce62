"""UIDs of the network side: ours, and what is known of transfer syntaxes (PS3.5 annex A, PS3.6 annex A)."""

import re

IMPLEMENTATION_CLASS_UID = "2.25.34010851827688037031281291584727441428"
"""Ours, minted once from a UUID (PS3.5 annex B.2); never changes."""

IMPLEMENTATION_VERSION_NAME = "NPCPIT_IMAGING"

APPLICATION_CONTEXT_NAME = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
"""Storage Commitment Push Model SOP Class (PS3.4 annex J)."""

STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
"""Its one well-known SOP instance."""

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
"""Uncompressed syntaxes, best first: explicit VR keeps the type of private elements."""

LOSSLESS = frozenset(
    [
        *NATIVE,
        *(f"1.2.840.10008.1.2.{leaf}" for leaf in ("1.98", "1.99", "5", "8.1")),
        *(f"1.2.840.10008.1.2.4.{leaf}" for leaf in (57, 58, 65, 66, 70, 80, 90, 92, 110, 111, 201, 202)),
    ]
)
"""Syntaxes that cannot have changed a pixel."""

WITHOUT_PIXELS = frozenset(
    [f"1.2.840.10008.1.2.4.{leaf}" for leaf in (94, 95, 204, 205)]
    + [f"1.2.840.10008.1.2.7.{leaf}" for leaf in (1, 2, 3)]
)
"""JPIP and SMPTE ST 2110: the object would hold an address instead of the image, so nothing would be stored."""

DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
IMPLICIT = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.113619.5.2", "1.2.840.10008.1.20"})
"""Syntaxes whose elements have no VR; GE's private one swaps only the pixels, Papyrus 3 is retired."""


def is_uid(text: str) -> bool:
    """Whether a text is safe and plausible as a UID: digits and single dots, 1 to 64 characters (PS3.5 section 9.1).

    Components with leading zeros are let through: they break the rule, harm nothing and exist in clinical archives.

    Example:
        >>> is_uid("1.2.840.10008.1.2"), is_uid("../../etc/passwd"), is_uid("1..2"), is_uid("")
        (True, False, False, False)
    """
    return len(text) <= 64 and re.fullmatch(r"[0-9]+(\.[0-9]+)*", text, re.ASCII) is not None
