"""A made-up cohort of tables: measurements, subjects, treatments; sizes shrink more where lesions are small."""

import csv
import io
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

DAYS = (42, 84, 140, 196, 280)


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """CSV texts by file name."""

    tables: dict[str, str]

    def write(self, folder: Path) -> dict[str, Path]:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.tables.items():
            (folder / name).write_text(text, encoding="utf-8")
        return {name.removesuffix(".csv"): folder / name for name in self.tables}


def a_csv(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def make_cohort(patients: int = 40, *, readers: int = 2, seed: int = 7) -> Cohort:
    """Patients with 1 to 4 irradiated lesions and up to 5 follow-ups; some die, some get lesions outside the field."""
    draw = np.random.default_rng(seed)
    measured: list[dict[str, object]] = []
    subjects: list[dict[str, object]] = []
    treatments: list[dict[str, object]] = []
    events: list[dict[str, object]] = []
    cycles: list[dict[str, object]] = []
    sizes: list[dict[str, object]] = []
    for number in range(patients):
        name, start = f"S{number:03d}", date(2022, 1, 10) + timedelta(days=int(draw.integers(0, 700)))
        own = draw.normal(0, 0.5)
        lesions = int(draw.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))
        died = int(draw.exponential(700)) + 30
        followed = int(draw.integers(200, 500))
        visits = [day for day in DAYS if day < min(died, followed)]
        out_at = int(draw.choice(DAYS)) if draw.random() < 0.2 else 9999
        marker = round(float(np.exp(draw.normal(4, 1.2))), 1)
        subjects.append(
            {
                "subject": name,
                "treatment_start": start,
                "death_date": start + timedelta(days=died) if died < followed else "",
                "last_contact": start + timedelta(days=min(died, followed)),
            }
        )
        for cycle in range(1, 2 + int(draw.random() < 0.5)):
            light = start + timedelta(days=35 * (cycle - 1))
            cycles.append(
                {"subject": name, "cycle": cycle, "infusion": light - timedelta(days=1), "illumination": light}
            )
            treatments += [
                {"subject": name, "lesion": f"T{n + 1:02d}", "cycle": cycle, "date": light} for n in range(lesions)
            ]
            for term, chance in (("Oral pain", 0.5), ("Localized edema", 0.4), ("Mucositis oral", 0.2)):
                if draw.random() < chance:
                    day = light + timedelta(days=int(draw.integers(0, 10)))
                    events.append(
                        {
                            "subject": name,
                            "term": term,
                            "grade": int(draw.choice([1, 2, 3], p=[0.5, 0.35, 0.15])),
                            "start": day,
                            "end": day + timedelta(days=int(draw.integers(2, 20))),
                            "lesion": "T01",
                        }
                    )
        states = []
        for n in range(lesions):
            base = float(np.clip(np.exp(draw.normal(3.1, 0.45)), 11, 80))
            shrink = 1 / (1 + np.exp(-(1.2 - 0.06 * (base - 20) + own + draw.normal(0, 0.8))))
            states.append([base, shrink, draw.random() < 0.25])
            sizes.append(
                {
                    "subject": name,
                    "lesion": f"T{n + 1:02d}",
                    "volume_ml": round(base**3 * np.pi / 6 / 1000 * float(np.exp(draw.normal(0, 0.2))), 3),
                    "thickness_mm": round(base * float(draw.uniform(0.4, 0.9)), 1),
                    "pdl1_percent": int(draw.integers(0, 100)),
                    "marker": marker,
                }
            )
        for visit, day in (("BASELINE", -5), *((f"FU{i + 1}", each) for i, each in enumerate(visits))):
            for reader in [f"R{r + 1}" for r in range(readers)]:
                for n, (base, shrink, regrows) in enumerate(states):
                    size = base if day < 0 else base * (1 - shrink * min(1.0, day / 90))
                    if regrows and day > 100:
                        size = base * (1 - shrink) + (day - 90) / 190 * base * 0.8
                    size = size * float(np.exp(draw.normal(0, 0.04)))
                    gone = day > 0 and size < 4
                    lost = day > 0 and draw.random() < 0.03
                    measured.append(
                        {
                            "subject": name,
                            "timepoint": visit,
                            "date": start + timedelta(days=day),
                            "reader": reader,
                            "evaluator": "investigator" if reader == "R1" else "bicr",
                            "lesion": f"T{n + 1:02d}",
                            "role": "target",
                            "organ": f"organ {n}",
                            "nodal": "no",
                            "irradiated": "yes",
                            "state": "not_assessed" if lost else "absent" if gone else "measured",
                            "longest_diameter_mm": "" if gone or lost else f"{size:.1f}",
                            "short_axis_mm": "",
                            "field": "in",
                        }
                    )
                if day >= out_at:
                    measured.append(
                        {
                            **measured[-1],
                            "lesion": "N01",
                            "role": "new",
                            "irradiated": "no",
                            "state": "unequivocal",
                            "longest_diameter_mm": "",
                            "field": "out",
                        }
                    )
    return Cohort(
        tables={
            "measurements.csv": a_csv(measured),
            "subjects.csv": a_csv(subjects),
            "treatments.csv": a_csv(treatments),
            "adverse_events.csv": a_csv(events),
            "cycles.csv": a_csv(cycles),
            "lesion_profiles.csv": a_csv(sizes),
        }
    )
