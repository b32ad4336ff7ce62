"""PERCIST 1.0 essentials (Wahl 2009)."""

from decimal import Decimal

import pytest

from npcpit_imaging.response.percist import MetabolicScan, metabolic_response


def scan(peak, *, liver="1.6", **more):
    return MetabolicScan(
        sul_peak=Decimal(peak),
        reference_mean=Decimal(liver),
        reference_sd=Decimal("0.2"),
        blood_pool_mean=Decimal("1.2"),
        **{
            name: Decimal(value) if isinstance(value, str) and name != "scanner" else value
            for name, value in more.items()
        },
    )


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (scan("8"), scan("5.6"), "PMR"),  # exactly -30 %
        (scan("8"), scan("5.7"), "SMD"),
        (scan("2.8"), scan("2.1"), "SMD"),  # -25 %
        (scan("2.8"), scan("2.0"), "SMD"),  # -0.8 but -28.6 %
        (scan("2.81"), scan("1.96"), "PMR"),  # -30.2 % and -0.85
        (scan("8"), scan("10.4"), "PMD"),  # exactly +30 %
        (scan("8"), scan("10.3"), "SMD"),
        (scan("8"), scan("1.2"), "CMR"),
        (scan("8"), scan("1.3"), "PMR"),  # above the blood pool
        (scan("8"), scan("4", new_lesion=True), "PMD"),
        (scan("8", tlg_g="100"), scan("8", tlg_g="175"), "PMD"),
        (scan("8", tlg_g="100"), scan("8", tlg_g="174"), "SMD"),
        (scan("8", tlg_g="100"), scan("8"), "SMD"),
        (scan("2.7"), scan("1"), "NE"),  # 1.5 x 1.6 + 2 x 0.2 = 2.8
        (scan("2.7", liver="1.2", diseased_liver=True), scan("1"), "NE"),  # 2.0 x 1.2 + 0.4 = 2.8
    ],
)
def test_classes(before, now, expected):
    """-30 % and -0.8, +30 % and +0.8, +75 % TLG, a new lesion, blood-pool level, measurability."""
    assert metabolic_response(before, now).response == expected


@pytest.mark.parametrize(
    ("before", "now", "codes"),
    [
        ({}, {}, set()),
        ({"uptake_min": 60}, {"uptake_min": 70}, set()),
        ({"uptake_min": 52}, {"uptake_min": 68}, {"uptake-difference"}),
        ({"uptake_min": 49}, {}, {"uptake-time"}),
        ({}, {"liver": "2.0"}, {"reference-changed"}),
        ({"activity_mbq": "200"}, {"activity_mbq": "240"}, set()),
        ({"activity_mbq": "200"}, {"activity_mbq": "241"}, {"activity-changed"}),
        ({"scanner": "A"}, {"scanner": "B"}, {"scanner-changed"}),
    ],
)
def test_scans_that_do_not_compare_are_found(before, now, codes):
    """Uptake time, reference region, activity and scanner must be comparable."""
    result = metabolic_response(scan("8", **before), scan("8", **now))
    assert {finding.code for finding in result.findings} == codes
