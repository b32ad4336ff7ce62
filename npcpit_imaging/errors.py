"""Every error this package raises on purpose.

```
NpcpitError                 something a person can act on; the message says what was expected, found and where
├── ConfigError             a protocol, site or imaging file that cannot be used
├── InputError              an argument, a path or a file given by a person
│   └── TableError          a row of a table; carries the line number
├── DicomError              a DICOM object that cannot be read or written as asked
│   ├── SeriesError         a series that is not one volume (gap, duplicate, mixture, tilt)
│   ├── DeidentifyError     an object that cannot be de-identified with certainty
│   ├── SpoolInUseError     received objects that belong to another running process
│   └── NetworkError        a DICOM peer that refused, vanished or answered nonsense
│       ├── PeerRefusedError      it answered no: trying again changes nothing (AE title, password, unknown destination)
│       └── PeerLostError         it could not be reached, fell silent or broke off: trying again may help
├── GeometryError           grids that do not fit each other, or a grid that is not one
├── QuantityError           a quantity that cannot be trusted (an SUV without its weight); names the tag
├── RegistrationError       two images that could not be aligned
│   └── RegistrationCancelledError   somebody stopped it
├── SegmentationError       a prompt or an image a segmenter cannot use
├── MeasurementError        a mask that cannot be measured
├── ResponseError           records from which no response can be computed
├── RadiomicsError          settings or images from which no feature can be computed
├── AnalysisError           tables from which a statistic cannot be computed
│   └── ReaderChoiceError   several readers, and none is the analysis'
├── StoreError              the study's memory refuses
│   └── StorageFullError    there is no room left: nothing of the change was kept
├── AccessError             somebody who may not, or not yet, or not like this
│   ├── SignedOutError      nobody is signed in, or no longer
│   ├── LockedOutError      too many wrong passwords; carries how long
│   └── LockedTimepointError   a visit that the reader may not see before an earlier one is signed
├── ReadingError            a change of a read that cannot be made; the message is for the reader
│   ├── StaleRevisionError  somebody, or another window, changed the read since
│   └── NotSignableError    a read that may not be signed as it is; carries the checks
├── FlowError               a pipeline that cannot be run
└── MissingPartError        an optional package or program that is not installed; says how to get it
```

A message never holds a patient's name or identifier.
"""


class NpcpitError(Exception):
    """Something a person can act on."""


class ConfigError(NpcpitError):
    """A protocol, site or imaging file that cannot be used."""


class InputError(NpcpitError):
    """An argument, a path or a file given by a person."""


class TableError(InputError):
    """A row of a table that cannot be used.

    Args:
        text: What was expected and what was found.
        line: The line of the file, counted from 1 (the header is line 1); None when it is not one line.
    """

    def __init__(self, text: str, *, line: int | None = None) -> None:
        super().__init__(text if line is None else f"line {line}: {text}")
        self.line = line


class DicomError(NpcpitError):
    """A DICOM object that cannot be read or written as asked."""


class SeriesError(DicomError):
    """A series that is not one volume."""


class DeidentifyError(DicomError):
    """An object that cannot be de-identified with certainty."""


class SpoolInUseError(DicomError):
    """Received objects that belong to another running process."""


class NetworkError(DicomError):
    """A DICOM peer that refused, vanished or answered nonsense."""


class PeerRefusedError(NetworkError):
    """A DICOM peer answered no; trying again changes nothing."""


class PeerLostError(NetworkError):
    """A DICOM peer could not be reached, fell silent or broke off; trying again may help."""


class GeometryError(NpcpitError):
    """Grids that do not fit each other, or a grid that is not one."""


class QuantityError(NpcpitError):
    """A quantity that cannot be trusted; the message names the tag."""


class RegistrationError(NpcpitError):
    """Two images that could not be aligned."""


class RegistrationCancelledError(RegistrationError):
    """A registration that somebody stopped."""


class SegmentationError(NpcpitError):
    """A prompt or an image a segmenter cannot use."""


class MeasurementError(NpcpitError):
    """A mask that cannot be measured."""


class ResponseError(NpcpitError):
    """Records from which no response can be computed."""


class OutdatedError(NpcpitError):
    """Results of which what they rest on has changed since they were computed."""


class RadiomicsError(NpcpitError):
    """Settings or images from which no feature can be computed."""


class AnalysisError(NpcpitError):
    """Tables from which a statistic cannot be computed."""


class ReaderChoiceError(AnalysisError):
    """Several readers, and none is the one of the analysis."""


class StoreError(NpcpitError):
    """The study's memory refuses."""


class ObjectFaultError(StoreError):
    """An object that the index holds is not where it was put, or is another one: asking again will not help."""


class StorageFullError(StoreError):
    """There is no room left; nothing of the change was kept."""


class ProviderError(NpcpitError):
    """The provider that people sign in with does not answer, or not as it should."""


class AccessError(NpcpitError):
    """Somebody who may not, or not yet, or not like this."""


class SignedOutError(AccessError):
    """Nobody is signed in, or no longer."""


class LockedOutError(AccessError):
    """Too many wrong passwords.

    Args:
        text: What happened.
        seconds: How long until the account opens again.
    """

    def __init__(self, text: str, *, seconds: int) -> None:
        super().__init__(text)
        self.seconds = seconds


class LockedTimepointError(AccessError):
    """A visit that the reader may not see before an earlier one is signed."""


class ReadingError(NpcpitError):
    """A change of a read that cannot be made; the message is for the reader."""


class StaleRevisionError(ReadingError):
    """Somebody, or another window, changed the read since."""


class NotSignableError(ReadingError):
    """A read that may not be signed as it is.

    Args:
        text: What blocks it.
        checks: The texts of the checks that block.
    """

    def __init__(self, text: str, *, checks: tuple[str, ...]) -> None:
        super().__init__(text)
        self.checks = checks


class FlowError(NpcpitError):
    """A pipeline that cannot be run."""


class MissingPartError(NpcpitError):
    """An optional package or program that is not installed."""
