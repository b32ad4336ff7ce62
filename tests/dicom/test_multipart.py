"""multipart/related as a stream: any chopping gives the same parts, and half a body is never taken for a whole one."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npcpit_imaging.dicom.multipart import Multipart, boundary_of
from npcpit_imaging.errors import NetworkError, PeerLostError

BOUNDARY = b"a1"


def body_of(parts: Sequence[bytes], *, preamble: bytes = b"") -> bytes:
    """Write a body by the book."""
    head = b"Content-Type: application/dicom\r\nContent-Length: 7\r\n\r\n"
    return preamble + b"".join(b"\r\n--a1\r\n" + head + part for part in parts) + b"\r\n--a1--\r\n"


def chopped(body: bytes, size: int) -> Callable[[int], bytes]:
    """Give a body in pieces of at most some bytes, then nothing."""
    at = iter(range(0, len(body), size))
    return lambda _: next((body[start : start + size] for start in at), b"")


def parts_of(body: bytes, size: int) -> list[bytes]:
    """Read all parts."""
    return [b"".join(part) for part in Multipart(chopped(body, size), BOUNDARY).parts()]


CONTENT = st.lists(
    st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--a", b"\r\n--a", b"x", b"\0"]), max_size=12).map(b"".join)
)


@given(
    parts=CONTENT.filter(lambda parts: not any(b"\r\n--a1" in b"\r\n" + part for part in parts)),
    size=st.integers(1, 40),
)
def test_any_chopping_gives_the_parts_that_were_written(parts, size):
    """Contents full of what looks like a boundary, in pieces of 1 to 40 bytes."""
    if parts:
        assert parts_of(body_of(parts), size) == parts


@given(cut=st.integers(0, 200), size=st.integers(1, 40))
def test_a_body_that_breaks_off_is_never_taken_for_a_whole_one(cut, size):
    """Wherever it breaks off before the last boundary's end."""
    body = body_of([b"first content", b"second content"])
    end = body.index(b"--a1--") + len(b"--a1--")
    with pytest.raises(PeerLostError, match="broke off"):
        parts_of(body[: min(cut, end - 1)], size)


def test_a_part_that_is_not_read_does_not_disturb_the_next():
    """The caller may pass over a part."""
    seen = []
    for number, part in enumerate(Multipart(chopped(body_of([b"one" * 100, b"two"]), 7), BOUNDARY).parts()):
        if number:
            seen.append(b"".join(part))
    assert seen == [b"two"]


def test_a_preamble_is_passed_over():
    """RFC 2046 5.1.1: what stands before the first boundary means nothing."""
    assert parts_of(body_of([b"content"], preamble=b"This is a multipart message."), 9) == [b"content"]


@pytest.mark.parametrize("kind", ["application/dicom", "multipart/related", "text/html; boundary=a"])
def test_what_is_no_multipart_is_refused(kind):
    """An error page is not an image."""
    with pytest.raises(NetworkError, match="expected multipart/related"):
        boundary_of(kind)


def test_a_head_that_never_ends_is_refused():
    """Memory stays small."""
    with pytest.raises(NetworkError, match="header block"):
        parts_of(b"\r\n--a1\r\n" + b"X: y\r\n" * 100_000, 65_536)
