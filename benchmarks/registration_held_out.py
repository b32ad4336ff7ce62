"""Held-out pairs for the failure detection: patients, flips and crops that had no part in setting the plans' limits.

The limits of the plans were set on the pairs of ``registration_pairs.py``. None of the patients here is among them; the
lung CT and the brain return only as the other body part.
"""

from collections.abc import Callable, Iterator

from registration_pairs import BRAIN, LUNG, Library, Made, Pair, crop, flip, seen_again

from npcpit_imaging.volume.volume import Volume

Maker = Callable[[], Volume]
PLANS = {("CT", "CT"): "ct-ct", ("MR_T1", "MR_T1"): "mr-mr", ("CT", "MR_T1"): "ct-mr"}


def held_out_good(library: Library) -> Iterator[Pair]:
    """22 pairs that can be aligned: known motion with a warp of 5 mm, and CT with MR of one patient."""
    for kind, numbers, plan in (
        ("CT", (23, 26, 28, 33, 36, 43, 47), "ct-ct"),
        ("MR_T1", (23, 26, 28, 29, 38, 43, 47), "mr-mr"),
    ):
        change = {} if kind == "CT" else {"bias": 0.35, "gamma": 0.85}
        for number in numbers:
            make = _again(library, number, kind, {"warp_mm": 5.0, "keep": 0.85, "noise": 0.05, **change})
            yield Pair(good=True, plan=plan, kind="known motion", name=f"STS {number} {kind}", make=make)
    for number in (22, 23, 26, 28, 29, 34, 38, 40):
        yield Pair(good=True, plan="ct-mr", kind="two modalities", name=f"STS {number}", make=_across(library, number))


def _again(library: Library, number: int, kind: str, change: dict[str, float]) -> Callable[[], Made]:
    def make() -> Made:
        volume = library.sts(number, kind)
        fixed, true = seen_again(volume, 1000 + number, **change)
        return fixed, volume, true

    return make


def _across(library: Library, number: int) -> Callable[[], Made]:
    def make() -> Made:
        fixed, true = seen_again(library.sts(number, "CT"), 2000 + number)
        return fixed, library.sts(number, "MR_T1"), true

    return make


def held_out_bad(library: Library) -> Iterator[Pair]:
    """24 pairs that must never be accepted."""
    for one, other, kinds in (
        (23, 26, ("CT", "CT")),
        (28, 33, ("CT", "CT")),
        (43, 47, ("CT", "CT")),
        (26, 28, ("MR_T1", "MR_T1")),
        (36, 38, ("MR_T1", "MR_T1")),
        (43, 47, ("MR_T1", "MR_T1")),
        (29, 34, ("CT", "MR_T1")),
        (48, 38, ("CT", "MR_T1")),
        (23, 33, ("CT", "MR_T1")),
    ):
        first, second = _sts(library, one, kinds[0]), _sts(library, other, kinds[1])
        yield _bad(PLANS[kinds], "other patient", f"STS {one}/{other} {'/'.join(kinds)}", first, second)
    for number, kind in ((34, "CT"), (36, "CT"), (29, "MR_T1")):
        volume = _sts(library, number, kind)
        lower = _changed(volume, number, lambda image: crop(image, (0, 0, 0), (0.32, 1, 1)))
        upper = _then(volume, lambda image: crop(image, (0.68, 0, 0), (1, 1, 1)))
        yield _bad(PLANS[kind, kind], "no overlap", f"STS {number} {kind}", lower, upper)
    for number, first, second, axis in (
        (28, "CT", "CT", 2),
        (33, "CT", "CT", 0),
        (47, "CT", "CT", 1),
        (43, "MR_T1", "MR_T1", 2),
        (26, "MR_T1", "MR_T1", 1),
        (38, "MR_T1", "MR_T1", 0),
        (29, "CT", "MR_T1", 2),
    ):
        fixed = _changed(_sts(library, number, first), 77, lambda image, along=axis: flip(image, along))
        name = f"STS {number} {first}/{second} {'kji'[axis]}"
        yield _bad(PLANS[first, second], "flipped axis", name, fixed, _sts(library, number, second))
    for number, first, second in ((36, "CT", "CT"), (29, "MR_T1", "MR_T1"), (34, "CT", "MR_T1")):
        cut = _changed(
            _sts(library, number, first), 78, lambda image: crop(image, (0.55, 0.6, 0.55), (0.85, 0.85, 0.8))
        )
        yield _bad(
            PLANS[first, second], "heavy crop", f"STS {number} {first}/{second}", cut, _sts(library, number, second)
        )
    for plan, place, number, kind in (("ct-ct", LUNG, 28, "CT"), ("mr-mr", BRAIN, 43, "MR_T1")):
        other = _sts(library, number, kind)
        yield _bad(
            plan, "other body part", f"{place.split('/')[0]}/STS {number}", lambda p=place: library.series(p), other
        )


def _bad(plan: str, kind: str, name: str, fixed: Maker, moving: Maker) -> Pair:
    return Pair(good=False, plan=plan, kind=kind, name=name, make=lambda: (fixed(), moving(), None))


def _sts(library: Library, number: int, kind: str) -> Maker:
    return lambda: library.sts(number, kind)


def _then(volume: Maker, change: Callable[[Volume], Volume]) -> Maker:
    return lambda: change(volume())


def _changed(volume: Maker, seed: int, change: Callable[[Volume], Volume]) -> Maker:
    return lambda: seen_again(change(volume()), seed, keep=0.99)[0]
