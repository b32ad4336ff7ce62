"""Segmenters are warmed by really working: on a small ball, one for each modality."""

import numpy as np
import pytest

from npcpit_imaging.app import warming
from npcpit_imaging.app.study import init_study, open_study


def test_every_modality_s_segmenter_has_found_the_ball(tmp_path, monkeypatch):
    """A ball of 12 mm holds 905 mm3; a segmenter that failed would be silent, and the first prompt slow."""
    proposals, segment = [], warming.segment

    def watched(*arguments):
        proposals.append(segment(*arguments))
        return proposals[-1]

    monkeypatch.setattr(warming, "segment", watched)
    init_study(tmp_path / "study")
    with open_study(tmp_path / "study") as study:
        warming.warm_segmenters(study).join()
    assert len(proposals) == 3
    for each in proposals:
        assert np.count_nonzero(each.mask.voxels) == pytest.approx(905, rel=0.35)
