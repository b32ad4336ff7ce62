"""The columns of the CSV answers, in order (docs/respond.md): a table without rows still has them."""

TIMEPOINT_COLUMNS = (
    *("subject", "reader", "timepoint", "date", "target", "target_raw", "non_target", "new", "overall", "overall_raw"),
    *("sum_mm", "sum_complete", "sum_assessed_mm", "baseline_mm", "nadir_mm", "nadir_at"),
    *("change_percent", "change_nadir_percent", "change_nadir_mm"),
    *("rule", "fired", "target_rule", "non_target_rule"),
    *("new_lesions", "new_in_field", "new_margin_field", "new_out_field", "retro_dated_by"),
    *("irradiated_sum_mm", "irradiated_response", "not_irradiated_sum_mm", "not_irradiated_response"),
    *("after_pd", "excluded", "too_early", "in_spider", "irecist", "irecist_rule"),
)
"""One row per subject, reader and follow-up."""

LESION_COLUMNS = (
    *("subject", "reader", "lesion", "irradiated", "cycle", "irradiated_on"),
    *("baseline_at", "baseline_mm", "measurable", "measurable_reason"),
    *("best", "best_date", "confirmed_best", "confirmed_best_date"),
    *("to_progression_days", "to_progression_event", "to_progression_start", "to_progression_end"),
    *("to_progression_reason", "merged_into", "split_into", "reason"),
    *("timepoint", "date", "response", "value_mm", "nadir_mm", "source", "rule", "after_stop", "too_early"),
)
"""One row per subject, reader, lesion (and cycle) and follow-up."""

SUBJECT_COLUMNS = (
    *("subject", "reader", "bor", "bor_date", "bor_rule", "confirmed_bor", "confirmed_bor_date", "confirmed_bor_rule"),
    *("clinical_benefit", "clinical_benefit_date", "clinical_benefit_rule", "pd_date"),
    *("dor_days", "dor_event", "dor_start", "dor_end", "dor_reason"),
    *("confirmed_dor_days", "confirmed_dor_event", "confirmed_dor_start", "confirmed_dor_end", "confirmed_dor_reason"),
    *("pfs_days", "pfs_event", "pfs_start", "pfs_end", "pfs_reason"),
    *("new_out_of_field_date", "irecist_bor", "irecist_pd_date", "for_analysis"),
)
"""One row per subject and reader."""

FINDING_COLUMNS = ("subject", "reader", "code", "severity", "text")
"""One row per finding."""
