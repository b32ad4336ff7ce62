"""What an export takes from stored responses is what the engine answers."""

import json

from hypothesis import HealthCheck, given, settings

from npcpit_imaging.app.responses import stored_rows
from npcpit_imaging.app.stored_reads import BEST_RULES, said_before, said_now
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.store.bulk import StoredAnswer
from tests.response.test_properties import COURSE, subjects

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def through_the_store(rows):
    """Stored rows as they come back: through JSON."""
    return [
        StoredAnswer(subject="S1", reader=reader, level=level, values=json.loads(json.dumps(values)))
        for reader, level, _, _, values in rows
    ]


@FEW
@given(subjects())
def test_stored_responses_say_what_the_engine_says(records):
    """Sizes, dates, rules, best responses and durations, for the RECIST and the iRECIST response of every visit."""
    answers = respond_case(Case(records=tuple(records), course=COURSE), protocol=Protocol(irecist=True))
    rows = through_the_store(row for answer in answers for row in stored_rows(answer))
    before, now = said_before(rows), tuple(map(said_now, answers))
    counted = [each for each in before[0].durations if each.duration.days is not None]
    assert counted == [each for each in now[0].durations if each.duration.days is not None]
    for name in ("reader", "timepoints", "nadirs", "lesions", "bests", "pd_date"):
        assert getattr(before[0], name) == getattr(now[0], name), name


@settings(FEW, max_examples=1)
@given(subjects())
def test_what_an_older_version_stored_is_computed_again(records):
    """It did not keep why a lesion's best response is one."""
    (answer,) = respond_case(Case(records=tuple(records), course=COURSE), protocol=Protocol())
    rows = through_the_store(stored_rows(answer))
    assert said_before(rows)
    next(row for row in rows if row.level == "lesion").values.pop(BEST_RULES[1])
    assert said_before(rows) == ()
