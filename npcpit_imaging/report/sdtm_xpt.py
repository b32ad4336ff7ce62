"""The observations of a SAS transport file, version 5, by column: IBM numbers, text padded with blanks (TS-140)."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.report.sdtm_rows import Cell

RECORD_BYTES = 80
ROWS_AT_ONCE = 20_000
_MISSING = int.from_bytes(b".".ljust(8, b"\0"), "big")


def ibm_numbers(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """IBM double precision of numbers, as big-endian integers would write it; NaN becomes a missing value.

    The sign, an exponent of 16 in excess of 64, then 56 bits of fraction: every double of common size is exact.

    Example:
        >>> [hex(number) for number in ibm_numbers(np.array([1.0, -118.625, 0.0]))]
        ['0x4110000000000000', '0xc276a00000000000', '0x0']
    """
    known = np.nan_to_num(values)
    fraction, power = np.frexp(np.abs(known))
    sixteens = -(-power // 4)
    bits = (fraction * 2.0**53).astype(np.uint64) << np.uint64(3)
    bits >>= (4 * sixteens - power).astype(np.uint64)
    exponent = (sixteens + 64).astype(np.uint64) << np.uint64(56)
    sign = np.where(known < 0, np.uint64(1) << np.uint64(63), np.uint64(0))
    found = np.where(known == 0, np.uint64(0), bits | exponent | sign)
    return np.where(np.isnan(values), np.uint64(_MISSING), found)


def observations(columns: Sequence[Sequence[Cell]], widths: Sequence[int | None]) -> Iterator[bytes]:
    """The records of some rows, one behind the other, some at a time; the last are filled up to 80 bytes with blanks.

    Args:
        columns: Cells by column.
        widths: Bytes of each text column; None of a number.
    """
    count = len(columns[0]) if columns else 0
    kinds = [(f"c{place}", f"S{width}" if width else ">u8") for place, width in enumerate(widths)]
    written = 0
    for first in range(0, count, ROWS_AT_ONCE):
        block = np.zeros(min(ROWS_AT_ONCE, count - first), kinds)
        for (name, _), cells, width in zip(kinds, columns, widths, strict=True):
            part = cells[first : first + ROWS_AT_ONCE]
            block[name] = _texts(part, width) if width else ibm_numbers(np.array(part, float))
        written += block.nbytes
        yield block.tobytes()
    yield b" " * (-written % RECORD_BYTES)


def _texts(cells: Sequence[Cell], width: int) -> NDArray[np.bytes_]:
    """Text padded with blanks; the same few words stand in most rows, so each is encoded once."""
    padded = {cell: str(cell or "").encode().ljust(width) for cell in set(cells)}
    return np.array([padded[cell] for cell in cells], f"S{width}")
