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
        "DCR",
        "CR, PR, or stable for the protocol's minimum duration (NON-CR/NON-PD likewise), as best response.",
    ),
    (
        "MISSING",
        "No read after baseline; figures show it as NE.",
    ),
    (
        "Confirmed",
        "The response holds at a later visit at least the protocol's interval after (Eisenhauer 2009, table 3).",
    ),
    (
        "Korn-Graubard",
        "Clopper-Pearson interval on the effective number of lesions: lesions divided by the design effect of "
        "patients, t-adjusted, never more than the lesions there are. At 0 % and 100 % Clopper-Pearson on patients.",
    ),
    (
        "Design effect, ICC",
        "How much the variance grows because lesions of one patient are alike; ICC by analysis of variance.",
    ),
    (
        "GEE",
        "Binomial generalised estimating equation, exchangeable within patients, Mancl-DeRouen variance (from 1,000 "
        "patients on plain robust), t with patients - 1.",
    ),
    (
        "Days",
        "From first treatment; the first day of a duration counts as day 1. A median is the first day at "
        "which the curve is 0.5 or less; its interval, and the curve's, are on the log-log scale. Lesions' "
        "curves have a variance by patient.",
    ),
    (
        "PFS, duration of response, overall survival",
        "Progression or death; the same from the first response on, responders only; death. A death is an event of the "
        "first two unless visits were missed before it, as the protocol says.",
    ),
    (
        "Local progression",
        "A lesion's own progression. Death censors it in the Kaplan-Meier estimate and competes in the incidence "
        "(Aalen-Johansen), as it does with a new lesion outside the field.",
    ),
    (
        "Bias, limits of agreement",
        "Bland and Altman: mean difference and 95 % limits; with several lesions a patient from the variance between "
        "and within patients (2007), intervals from resampling patients. Ratios where differences grow with size.",
    ),
    (
        "ICC(2,1), kappa, AC1",
        "Absolute agreement of single sizes (Shrout and Fleiss). Best responses: Cohen's kappa with linear weights "
        "over those that occur of CR, PR, SD, NON-CR/NON-PD, PD, NE, MISSING; Gwet's AC1 unweighted. Positive "
        "agreement: on CR or PR (Cicchetti and Feinstein).",
    ),
    (
        "Odds ratio, p",
        "The ratio and its interval are a GEE's, exchangeable within patients, Mancl-DeRouen variance. p of lesions: "
        "score test by patient; of patients: Mann-Whitney or Fisher.",
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
