"""Moving dates by whole days and clipping ages (DICOM PS3.15 E.3.6, PS3.5 6.2 for DA, DT, TM and AS)."""

import re
from datetime import date, datetime, timedelta

from npcpit_imaging.errors import InputError

OLDEST_AGE_YEARS = 89
"""Ages above this are one group (HIPAA 45 CFR 164.514(b)(2)(i)(C)); they become `CLIPPED_AGE`."""

CLIPPED_AGE = "090Y"
"""What an age over 89 years becomes."""

_DATE = re.compile(r"(\d{4})[.]?(\d{2})[.]?(\d{2})")
_TIME = re.compile(r"(\d{2}([0-5]\d([0-5]\d|60)?)?(\.\d{1,6})?|\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)")
_DATETIME = re.compile(r"(\d{4})(\d{2})?(\d{2})?(\d{2}[0-9.]{0,11})?([+-]\d{4})?")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_DAYS_OF_UNIT = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}


def shift_day(day: date, shift_days: int) -> date:
    """Move a calendar date by whole days; the one rule for every date of the study, images or tables.

    Raises:
        InputError: The moved date lies before year 1 or after year 9999.

    Example:
        >>> shift_day(date(2024, 3, 1), -1)
        datetime.date(2024, 2, 29)
    """
    try:
        return day + timedelta(days=shift_days)
    except OverflowError as error:
        raise InputError("date: the shifted date is outside the calendar") from error


def shift_moment(moment: datetime, shift_days: int) -> datetime:
    """Move a date and time by whole days; the time of day and its offset stay.

    Raises:
        InputError: The moved date lies outside the calendar.
    """
    return datetime.combine(shift_day(moment.date(), shift_days), moment.timetz())


def shift_da(text: str, shift_days: int) -> str:
    """Move a DA value (``YYYYMMDD``, or the retired ``YYYY.MM.DD``).

    Raises:
        ValueError: It is not a date; the message does not repeat it.

    Example:
        >>> shift_da("20240101", -1)
        '20231231'
    """
    match = _DATE.fullmatch(text.strip("\0 "))
    if match is None:
        raise ValueError("not a date")
    year, month, day = map(int, match.groups())
    return _moved(year, month, day, shift_days)


def shift_dt(text: str, shift_days: int) -> str:
    """Move a DT value of any precision; time of day, fraction and offset stay as written.

    A date of lower precision counts as its first day and keeps its precision.

    Raises:
        ValueError: It is not a date and time; the message does not repeat it.

    Example:
        >>> shift_dt("20240101120000.5+0900", -1)
        '20231231120000.5+0900'
        >>> shift_dt("2024", -1)
        '2023'
    """
    match = _DATETIME.fullmatch(text.strip("\0 "))
    if match is None:
        raise ValueError("not a date and time")
    year, month, day, time, offset = match.groups()
    if (time and not (day and _TIME.fullmatch(time))) or (day and not month):
        raise ValueError("not a date and time")
    moved = _moved(int(year), int(month or 1), int(day or 1), shift_days)
    precision = 4 + 2 * bool(month) + 2 * bool(day)
    return moved[:precision] + (time or "") + (offset or "")


def check_tm(text: str) -> str:
    """Return a TM value as written: whole-day shifts leave the time of day.

    Raises:
        ValueError: It is not a time; the message does not repeat it.
    """
    if _TIME.fullmatch(text.strip("\0 ")) is None:
        raise ValueError("not a time")
    return text


def clip_age(text: str) -> str:
    """Return an AS value, with every age over 89 years as ``090Y``.

    Raises:
        ValueError: It is not an age; the message does not repeat it.

    Example:
        >>> clip_age("089Y"), clip_age("094Y"), clip_age("1200M"[-4:])
        ('089Y', '090Y', '200M')
    """
    match = _AGE.fullmatch(text.strip("\0 "))
    if match is None:
        raise ValueError("not an age")
    days = int(match[1]) * _DAYS_OF_UNIT[match[2]]
    return CLIPPED_AGE if days >= (OLDEST_AGE_YEARS + 1) * _DAYS_OF_UNIT["Y"] else text.strip("\0 ")


def _moved(year: int, month: int, day: int, shift_days: int) -> str:
    try:
        moved = date(year, month, day) + timedelta(days=shift_days)
    except OverflowError as error:
        raise ValueError("outside the calendar") from error
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"
