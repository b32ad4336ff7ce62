"""Digests of what a result was computed from."""

import hashlib


def digest_of(*parts: str) -> str:
    """SHA-256 over texts in order, as hex."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
