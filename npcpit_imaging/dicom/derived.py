"""UIDs of objects that are computed: the same inputs give the same UID (PS3.5 annex B.2, root 2.25)."""

import hashlib


def derived_uid(*parts: str) -> str:
    """A UID made from texts, the same wherever it is computed.

    Example:
        >>> derived_uid("lesion", "T01") == derived_uid("lesion", "T01") != derived_uid("lesion", "T02")
        True
    """
    digest = hashlib.sha256("\n".join(parts).encode()).digest()[:16]
    return f"2.25.{int.from_bytes(digest, 'big')}"
