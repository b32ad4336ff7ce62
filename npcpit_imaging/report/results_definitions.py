"""What the terms on the results' page mean."""

DEFINITIONS = (
    (
        "Irradiated lesion",
        "A lesion that light reached in any cycle; its baseline is the last scan before its first irradiation.",
    ),
    (
        "ORR",
        "CR or PR as best response. A lesion that is not measurable cannot be PR. Not evaluable and never "
        "read units are non-responders; in the population 'evaluable' they are left out, in 'NE as response' "
        "they count as responses (bounds).",
    ),
    (
        "Confirmed",
        "The response holds at a later visit at least the protocol's interval after (Eisenhauer 2009, table 3).",
    ),
    (
        "Korn-Graubard",
        "Clopper-Pearson interval on the effective number of lesions: lesions divided by the design effect of "
        "patients, t-adjusted. At 0 % and 100 % Clopper-Pearson on patients.",
    ),
    (
        "Design effect, ICC",
        "How much the variance grows because lesions of one patient are alike; ICC by analysis of variance.",
    ),
    (
        "GEE",
        "Binomial generalised estimating equation, exchangeable within patients, Mancl-DeRouen variance, t "
        "with patients - 1.",
    ),
    (
        "Days",
        "From first treatment; the first day of a duration counts as day 1. A median is the first day at "
        "which the curve is 0.5 or less; its interval, and the curve's, are on the log-log scale. Lesions' "
        "curves have a variance by patient.",
    ),
    (
        "q",
        "Benjamini-Hochberg adjusted p over all predictors of one outcome.",
    ),
    (
        "p beyond volume",
        "Score test of the feature in a model that already knows the logarithm of volume.",
    ),
)
