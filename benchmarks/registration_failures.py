"""Does a failed registration show? Aligns good and bad pairs of public volumes and prints verdicts as a table.

    python benchmarks/registration_failures.py [--data ../shared/data] [--held-out] [--match "flipped"]
        [--plans ct-ct,mr-mr] [--seconds 600]

Without ``--held-out`` the pairs by which the limits were set; with it pairs that had no part in that.

Exit code 1 when a bad pair is accepted or more than 1 in 10 good pairs is rejected.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from registration_held_out import held_out_bad, held_out_good
from registration_pairs import Library, Pair, bad_pairs, good_pairs

from npcpit_imaging.config.base import load
from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.registration.align import align

ROOT = Path(__file__).parent.parent
COLUMNS = (
    "| pair | plan | verdict | inverse mm | starts mm | overlap | mL | similarity | MI "
    "| mirror | rotation | error mm | s |"
)


def row(pair: Pair, plans: dict[str, RegistrationPlan]) -> tuple[str, str]:
    """Align one pair; return its verdict and its line."""
    fixed, moving, true = pair.make()
    begun = time.perf_counter()
    head = f"| {'good' if pair.good else 'bad'}: {pair.kind}, {pair.name} | {pair.plan} |"
    try:
        found = align(fixed, moving, plans[pair.plan])
    except RegistrationError as error:
        return "refused", f"{head} refused: {error} |"
    seconds = time.perf_counter() - begun
    numbers = found.quality.numbers
    points = fixed.geometry.to_mm(
        np.stack(np.meshgrid(*[np.linspace(0, n - 1, 5) for n in fixed.geometry.shape_kji]), -1)
    )
    error = (
        "" if true is None else f"{np.linalg.norm(true.map(points) - found.transform.map(points), axis=-1).mean():.2f}"
    )
    return found.quality.verdict, (
        f"{head} {found.quality.verdict} | {numbers.inverse_consistency_mm:.1f} | {numbers.agreement_mm:.1f} "
        f"| {numbers.overlap:.2f} | {numbers.common_ml:.0f} | {numbers.similarity:.2f} "
        f"| {numbers.mutual_information:.2f} | {numbers.mirror_ratio:.2f} | {numbers.rotation_degrees:.1f} "
        f"| {error} | {seconds:.1f} |"
    )


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--held-out", action="store_true", help="the pairs that had no part in setting the limits")
    parser.add_argument("--match", default="", help="only pairs whose kind holds this text")
    parser.add_argument("--plans", default="ct-ct,mr-mr,ct-mr", help="only pairs of these plans, with commas")
    parser.add_argument("--seconds", type=float, default=600.0, help="begin no pair after this long")
    chosen = parser.parse_args()
    folder = ROOT / "configs" / "npc-pit" / "imaging" / "registration"
    plans = {name: load(folder / f"{name}.toml", RegistrationPlan) for name in ("ct-ct", "mr-mr", "ct-mr")}
    library = Library(chosen.data)
    verdicts: Counter[tuple[bool, str]] = Counter()
    begun = time.perf_counter()
    print(COLUMNS, "|---" * 13 + "|", sep="\n")
    good_ones, bad_ones = (held_out_good, held_out_bad) if chosen.held_out else (good_pairs, bad_pairs)
    for pair in (*good_ones(library), *bad_ones(library)):
        if chosen.match not in pair.kind or pair.plan not in chosen.plans.split(","):
            continue
        if time.perf_counter() - begun > chosen.seconds:
            print(f"stopped after {chosen.seconds:g} s")
            return 2
        verdict, line = row(pair, plans)
        verdicts[pair.good, verdict] += 1
        print(line, flush=True)
    good = sum(count for (kind, _), count in verdicts.items() if kind)
    rejected = sum(count for (kind, verdict), count in verdicts.items() if kind and verdict in ("reject", "refused"))
    bad, accepted = verdicts.total() - good, verdicts[False, "accept"]
    print(f"\n{good} good pairs, {rejected} rejected; {bad} bad pairs, {accepted} accepted")
    print({f"{'good' if kind else 'bad'} {verdict}": n for (kind, verdict), n in sorted(verdicts.items())})
    return int(verdicts[False, "accept"] > 0 or rejected > good / 10)


if __name__ == "__main__":
    sys.exit(main())
