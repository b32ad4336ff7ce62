"""What a figure says beside its curve is what the study's own table says."""

from npcpit_imaging.analysis.study_results import Results
from npcpit_imaging.analysis.survival import times
from npcpit_imaging.analysis.time_endpoints import TimeEndpoint, summarise_times
from npcpit_imaging.app.result_figures import figure_tables


def test_an_incidence_is_told_at_the_protocols_own_landmark_with_the_tables_digits():
    """Events on day 40 (a new lesion), 50 (death) and none by 300: at the protocol's day 60 one of three, 33.3 %."""
    endpoint = TimeEndpoint(
        name="new lesion outside the field, death competing", level="patient", competing=True,
        found=times([40, 50, 300], [1, 2, 0]), units=3, left_out=0, why="",
    )  # fmt: skip
    results = Results(
        records=None,  # type: ignore[arg-type]  # no figure looks at them
        tables={"time_to_event": summarise_times([endpoint], landmarks=(60,))},
        times=[endpoint],
        sizes=[],
        associations={},
        cautions={},
        events=None,
    )
    (curve,) = figure_tables(results).curves
    assert curve.note.startswith("1 events of 3, 1 deaths first; day 60: 33.3 % (95 % CI ")
