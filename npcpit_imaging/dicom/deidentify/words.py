"""Cleaned descriptions: words of a vocabulary stay, everything else goes (DICOM PS3.15 E.3.5)."""

import re
from functools import cache
from importlib.resources import files

_TOKEN = re.compile(r"[^\s_^/\\|,;:=()\[\]{}<>\"']+")
_NUMBER = re.compile(r"(0|[1-9]\d?)(\.\d{1,2})?")
_NUMBER_WITH_UNIT = re.compile(r"(\d{1,4}(?:\.\d{1,2})?)(mm|cm|ml|kv|kvp|mas|ma|s|sec|min|hz|x\d{1,3})", re.IGNORECASE)
_WORD_WITH_INDEX = re.compile(r"([A-Za-z]+)-?(\d{1,2})")
_B_VALUE = re.compile(r"[bB]=?(\d{1,4})")
_KERNEL = re.compile(r"[BHDTU][rfulsv]?\d{2}[fshm]?|FC\d{2}", re.IGNORECASE)


@cache
def vocabulary() -> frozenset[str]:
    """The words a description may keep, in lower case, from ``vocabulary.txt``."""
    text = files(__package__).joinpath("vocabulary.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word.lower() for line in lines for word in line.split())


def clean_text(text: str) -> str:
    """Keep of a description what can name nobody.

    Kept are words of the vocabulary, small numbers that stand beside such a word, numbers with a unit, b-values and
    reconstruction kernels. A run of numbers is dropped whole: it could be a date, a telephone number or an identifier.

    Args:
        text: Any text; characters beyond ASCII make their word unknown.

    Returns:
        The text itself where every word of it may stay; otherwise the kept words with blanks, empty when none is left.

    Example:
        >>> clean_text("AX T1 FS post Gd 3mm, Dr. Yamada 090-1234-5678")
        'AX T1 FS post Gd 3mm'
        >>> clean_text("GTV_Mass_CT 2"), clean_text("YAMADA^TARO 19600101")
        ('GTV_Mass_CT 2', '')
    """
    tokens = _split_unknown(_TOKEN.findall(text.split("\x1b", maxsplit=1)[0]))
    known = [_is_known(token) for token in tokens]
    numeric = [bool(_NUMBER.fullmatch(token)) for token in tokens]
    kept = [token for index, token in enumerate(tokens) if known[index] or _counts(index, known, numeric)]
    whole = len(kept) == len(tokens) and text.isascii() and text.isprintable()
    return text.strip() if whole and kept else " ".join(kept)


def is_vocabulary(word: str) -> bool:
    """True for a word that names nobody in any description."""
    return word.lower() in vocabulary()


def _split_unknown(tokens: list[str]) -> list[str]:
    """Break hyphenated and dotted words that the vocabulary does not know as a whole."""
    pieces: list[str] = []
    for token in tokens:
        bare = token.strip(".-+*#&!?%~@") if not is_vocabulary(token) else token
        whole = not bare or _is_known(bare) or _NUMBER.fullmatch(bare)
        pieces += [bare] if whole else [part for part in re.split(r"[-.+&]", bare) if part]
    return [piece for piece in pieces if piece]


def _is_known(token: str) -> bool:
    if is_vocabulary(token) or _NUMBER_WITH_UNIT.fullmatch(token) or _KERNEL.fullmatch(token):
        return True
    if match := _B_VALUE.fullmatch(token):
        return int(match[1]) <= 3000 and int(match[1]) % 50 == 0
    match = _WORD_WITH_INDEX.fullmatch(token)
    return match is not None and (len(match[1]) == 1 or is_vocabulary(match[1]))


def _counts(index: int, known: list[bool], numeric: list[bool]) -> bool:
    """A lone small number beside a known word."""
    if not numeric[index]:
        return False
    beside = [other for other in (index - 1, index + 1) if 0 <= other < len(known)]
    return any(known[other] for other in beside) and not any(numeric[other] for other in beside)
