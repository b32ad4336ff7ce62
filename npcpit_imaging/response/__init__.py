"""Tumour response from lesion measurements: RECIST 1.1, iRECIST, PERCIST, and per lesion.

The surface:

- `engine.Case(records=..., course=..., irradiations=...)` and `engine.respond_case(case, protocol=...)`: one subject's
  records to one `result.SubjectResponse` per reader (time points, lesions, best responses, durations,
  edit checks), each answer with the `RuleFired` that made it;
- `timepoint.overall_response(target, non_target, new, protocol=...)`: tables 1 and 2 of Eisenhauer 2009;
- `best_response.best_response` and `best_response.confirmed_best_response`: table 3, from dated responses;
- `table.read_measurements`, `read_subjects`, `read_treatments`, `read_responses`: CSV lines to records and faults;
- `answers`: results as plain rows for JSON and CSV;
- `percist.metabolic_response`, `measurability.measurability`, `edit_checks.edit_checks`.

The verbs over files are `npcpit_imaging.app.respond.respond` and `npcpit_imaging.app.respond.best_response`.
"""
