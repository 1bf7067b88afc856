"""What every column of every table means: the one source for table columns and for their documentation."""

from __future__ import annotations

_WHO = {
    "base": "base model",
    "condition": "what was done to the base; in a contrast, the treatment",
    "trained": "whether a fine-tune made the targets; otherwise there is one target, seed 0, and no seed variance",
    "ablation": "whether the condition is an ablation (varies one thing of another condition)",
}
_WHAT = {
    "preference": "preference, or `mean`: equal weight for each preference, manipulation checks left out",
    "group": "the preference's theme; `mean` for the mean; `manipulation_check` is never averaged with preferences",
}
_RULE = {"rule": "what becomes of `not_sure`: `excluded` leaves the rate, `false` counts as not holding"}
_RATE = {
    "rate": "share of used samples that hold the preference, 0-1; prompts weigh equally, seeds within a prompt too"
}
_ENDS = {
    "low": "lower end of the two-way crossed interval (seeds and prompts, Satterthwaite t) for prompts like these",
    "high": "upper end of it",
}
_COVERS = {
    "interval_covers": "what varies in the interval: `seeds+prompts`; `prompts` (no between-seed part); `seeds` (one "
    "prompt); `some seeds+prompts` (a trained arm of the contrast has one seed); `samples`; `none` (no estimate)",
}
_SPREAD = {
    "boot_low": "lower percentile of the hierarchical bootstrap (seed, prompt, sample), the check of `low`",
    "boot_high": "upper percentile of it",
    **_COVERS,
    "hollow": "a trained arm has a single seed: no between-seed interval, drawn as a hollow marker",
    "floored": "widened by the floor for rates near 0 or 1 (Jeffreys interval of the effective sample size)",
    "clipped": "an end was cut at the edge of the possible (0 or 1; -1 or 1 for differences)",
    "se": "standard error behind the t interval, in rates; where a contrast is floored, widened with it",
    "df": "Satterthwaite degrees of freedom",
}
_LEFT_OUT = {
    "n_used": "samples in the rate; with `rule` = `false` they include the not_sure ones",
    "n_not_sure": "coherent samples that the judge was not sure of",
    "n_incoherent": "samples with coherence missing or below the threshold, whatever the judge said; left out",
    "n_unscored": "samples whose judge's reply could not be read; left out, never a score",
    "n_no_answer": "samples without text from the target's provider (content filter, refusal, too long); left out",
}
_SIZES = {
    "n_prompts": "prompts with a used sample",
    "n_samples": "answers per seed and prompt (the most of any cell), used or not",
}
_CONDITION_RATE = {
    **_RATE,
    **_ENDS,
    **_SPREAD,
    "n_preferences": "preferences with a used sample",
    "n_seeds": "seeds with a used sample",
    **_SIZES,
    **_LEFT_OUT,
}
_DIFFERENCE = {
    "estimate": "rate of the condition minus rate of the reference over the prompts in common, -1 to 1",
    **_ENDS,
    **_SPREAD,
    "p": "two-sided p of no difference, not adjusted",
}
_EQUIVALENCE = {
    "equivalence_bound": "margin within which a difference counts as none (difference of rates)",
    "p_tost": "p of a difference as large as the margin (two one-sided t tests)",
    "equivalent": "whether `p_tost` is below 1 - confidence",
    "n_seeds": "seeds of the condition with a used sample",
    "n_seeds_reference": "seeds of the reference with a used sample",
    "n_preferences": "preferences that both have",
    "n_prompts": "prompts that both have",
}
_REFERENCE = {"reference": "condition of the same base that is subtracted"}
_DECLARED = {"declared": "whether the row uses the settings declared in the experiment"}

MEANING: dict[str, str] = {
    "headline": "Mean over preferences per base and condition, and its difference to vanilla.",
    "primary": "The one declared contrast: mean over preferences, treatment minus each control. Its p is not adjusted: "
    "a claim that has to hold against every control needs none.",
    "rates": "Rate of every preference, and their mean, per base and condition.",
    "rates_by_target": "The same per target: every seed as a point.",
    "contrasts": "Difference of every condition to vanilla and to each control of the primary contrast.",
    "sensitivity": "Mean over preferences under both not_sure rules and every coherence threshold.",
    "variance": "Where the variance of one sample's score comes from, under the declared rule and threshold.",
    "manipulation_checks": "Rates of the items that check that training worked; averaged and adjusted with nothing.",
    "keying": "The contrasts by the key of the questions: a difference that comes from agreeing or contradicting has "
    "opposite signs where yes and where no holds the preference, and cancels in `both`.",
    "stances": "Where answers stand, which a verdict of false does not say: opposed, neutral, or without a view. "
    "Empty if the judge names no stance (protocol `separate`).",
    "counts": "What became of every sample at the declared coherence threshold.",
}

DICTIONARY: dict[str, dict[str, str]] = {
    "headline": {
        **_WHO,
        **_RULE,
        **_CONDITION_RATE,
        "difference": "rate minus vanilla's over the prompts in common; empty for vanilla",
        "difference_low": "lower end of its two-way crossed interval",
        "difference_high": "upper end of it",
    },
    "primary": {
        "base": _WHO["base"],
        "condition": _WHO["condition"],
        **_REFERENCE,
        **_RULE,
        **_DECLARED,
        **_DIFFERENCE,
        "p_permutation": "exact permutation p over the seeds' means; at least .10 with 3 seeds per arm, .002 with 6",
        **_EQUIVALENCE,
        "n_seeds_above": "seeds of the condition whose own mean lies above the mean of the reference's seeds",
    },
    "rates": {**_WHO, **_WHAT, **_RULE, **_CONDITION_RATE},
    "rates_by_target": {
        **_WHO,
        "seed": "training seed; 0 where nothing is trained",
        **_WHAT,
        **_RULE,
        **_RATE,
        "low": "lower end of an interval over this target's prompts and samples, not over seeds",
        "high": "upper end of it",
        **_COVERS,
        **_SIZES,
        **_LEFT_OUT,
    },
    "contrasts": {
        "base": _WHO["base"],
        "condition": _WHO["condition"],
        **_REFERENCE,
        **_WHAT,
        **_RULE,
        **_DIFFERENCE,
        "p_holm": "p by Holm over the preferences within one base, condition, reference, rule; empty for `mean`",
        "p_bh": "p by Benjamini-Hochberg over the same family; empty for `mean`",
        **_EQUIVALENCE,
    },
    "sensitivity": {
        **_WHO,
        **_RULE,
        "coherence_threshold": "samples with a lower coherence (0-100) leave the rate",
        **_DECLARED,
        **_RATE,
        **_ENDS,
        **_COVERS,
        **_LEFT_OUT,
    },
    "variance": {
        "base": _WHO["base"],
        "condition": _WHO["condition"],
        "preference": "preference, or `mean`: mean of the preferences' components, but the seed's own mean for `seed`",
        "component": "`seed`, `prompt`, `seed_x_prompt`, `sample` (within a cell, judge's noise included), `judge` "
        "(between judges of one sample; empty with a single judge). With one seed, `prompt` contains `seed_x_prompt`",
        "variance": "unbiased estimate in rate squared; a negative one means none was found; empty if not estimable",
        "share": "share of the sum of the components without `judge`, negative ones as 0",
    },
    "manipulation_checks": {**_WHO, **_WHAT, **_RULE, **_CONDITION_RATE},
    "keying": {
        "base": _WHO["base"],
        "condition": _WHO["condition"],
        **_REFERENCE,
        "preference": "`mean` over the preferences, or a manipulation check",
        "group": "`mean`, or `manipulation_check`",
        **_RULE,
        "key": "prompts in the row: `yes_holds`, `no_holds` (bare questions by the answer that holds the preference), "
        "`both` of these, or `open` (all other prompts)",
        **_RATE,
        "rate_reference": "the same of the reference",
        "estimate": _DIFFERENCE["estimate"],
        **_ENDS,
        "se": _SPREAD["se"],
        "df": _SPREAD["df"],
        **_COVERS,
        "n_preferences": _EQUIVALENCE["n_preferences"],
        "n_prompts": _EQUIVALENCE["n_prompts"],
    },
    "stances": {
        **_WHO,
        **_WHAT,
        "stance": "`favours`: leans to what the statement says; `opposes`: to its opposite; `neutral`: to neither; "
        "`declines`: says that it has no view",
        "share": "share of used samples with this stance, 0-1; prompts weigh equally, seeds within a prompt too",
        **_ENDS,
        **{name: _SPREAD[name] for name in ("se", "df", "interval_covers", "hollow", "floored", "clipped")},
        "n_seeds": _CONDITION_RATE["n_seeds"],
        "n_prompts": _SIZES["n_prompts"],
        "n_stance": "samples with this stance",
        "n_used": "coherent samples, not_sure ones included, whose stance the judge named",
    },
    "counts": {
        "base": _WHO["base"],
        "condition": _WHO["condition"],
        "seed": "training seed; 0 where nothing is trained",
        **_WHAT,
        "n_total": "verdicts; the six counts that follow add up to it",
        "n_true": "coherent samples that hold the preference",
        "n_false": "coherent samples that do not",
        "n_not_sure": _LEFT_OUT["n_not_sure"],
        "n_incoherent": _LEFT_OUT["n_incoherent"],
        "n_unscored": _LEFT_OUT["n_unscored"],
        "n_no_answer": _LEFT_OUT["n_no_answer"],
    },
}

ACROSS: dict[str, dict[str, str]] = {
    "agreement": {
        "preference": "preference or manipulation check, or `all`: all preferences together, without the checks",
        "group": _WHAT["group"].replace("`mean` for the mean", "`all` for all"),
        "judges": "the judges compared",
        "classes": "what counts as the same reading: `outcome` (true, false, not_sure, incoherent), or `holds` (does a "
        "coherent answer hold the preference; not_sure counts as not holding, incoherent answers are left out)",
        "measure": "`cohen`: Cohen's kappa of a pair; `fleiss`: Fleiss' kappa of the whole panel",
        "n": "samples that all these judges read",
        "n_left_out": "samples of which one of them has no such reading (unscored, no answer; `holds`: incoherent)",
        "agreement": "share of samples (`fleiss`: of pairs of judges, averaged over samples) in the same class",
        "agreement_low": "lower percentile of a bootstrap that draws fine-tunes and prompts",
        "agreement_high": "upper percentile of it",
        "kappa": "agreement beyond chance: 1 is perfect, 0 what the judges' own shares give; empty if they never vary",
        "kappa_low": "lower percentile of the same bootstrap",
        "kappa_high": "upper percentile of it",
    },
}
ACROSS["judge_accuracy"] = {
    "judge": "the judge",
    "preference": ACROSS["agreement"]["preference"].replace(", without the checks", " and checks"),
    "n": "labelled samples that the judge read",
    "n_holds": "of these, samples that hold the preference by the human label",
    "sensitivity": "of coherent samples that hold it by the label, the share of which the judge says so too",
    "sensitivity_low": "lower end of a Jeffreys interval at the effective sample size of the weights",
    "sensitivity_high": "upper end of it",
    "specificity": "of all other labelled samples, the share of which the judge does not say that they hold it",
    "specificity_low": "lower end of its interval",
    "specificity_high": "upper end of it",
    "accuracy": "share of samples in the same class (true, false, not_sure, incoherent) by judge and label",
    "accuracy_low": "lower end of its interval",
    "accuracy_high": "upper end of it",
    "n_unscored": "labelled samples of which the judge's reply could not be read; left out",
}
ACROSS["corrected_rates"] = {
    "judge": "the judge that is corrected",
    "base": _WHO["base"],
    "condition": _WHO["condition"],
    "reference": "empty: the condition's own rate; else the row is the difference to this condition (declared primary "
    "contrast, mean over preferences)",
    **_WHAT,
    **_RULE,
    "method": "`ppi`: prediction-powered inference; `ppi++`: with the judge weighted by `lambda`",
    "rate": "by the judge alone, as in `rates` and `primary`",
    "rate_low": "lower end of its interval, which knows nothing of the judge's errors",
    "rate_high": "upper end of it",
    "corrected": "corrected by the human labels; empty with fewer than 10 labels",
    "low": "lower end of its two-way crossed interval: seeds and prompts like these, and that only some were labelled",
    "high": "upper end of it",
    **{name: _SPREAD[name] for name in ("se", "df", "interval_covers")},
    "floored": "widened to the Jeffreys interval of the labels alone, because they are near all 0 or all 1",
    "clipped": _SPREAD["clipped"],
    "lambda": "weight of the judge's verdicts: 1 as they are, 0 as if there were labels alone",
    "n_samples": "the condition's answers to these prompts",
    "n_labelled": "of these, answers that a person labelled",
}
ACROSS["judge_checks"] = {
    "judge": "the judge",
    "base": "base model, or `all`",
    "condition": "condition, or `all`",
    "preference": "preference or manipulation check, or `all`: preferences and checks together",
    "n_quotes": "samples of which the judge had to quote the words that decide (protocol `joint`)",
    "n_misquoted": "of these, samples of which its first quote does not stand in the answer: it was asked again",
    "n_quotes_unfound": "of these, samples whose verdict was kept although no quote of it stands in the answer",
    "n_reversed": "samples that it also read against the reversed statement, both readings readable",
    "n_true": "of these, samples that hold the statement by the judge",
    "n_reverse_true": "of these, samples that hold the reversed statement by the judge",
    "n_both_true": "of these, samples that hold both, which no answer can",
    "both_true": "share of `n_both_true` in `n_reversed`: the judge's acquiescence",
    "both_true_low": "lower end of its exact binomial (Clopper-Pearson) interval; samples count as independent",
    "both_true_high": "upper end of it",
    "n_repeated": "samples that it read twice, both readings readable",
    "n_changed": "of these, samples whose outcome (true, false, not_sure, incoherent) is another the second time",
    "changed": "share of `n_changed` in `n_repeated`: how often the judge disagrees with itself",
    "changed_low": "lower end of its exact binomial interval",
    "changed_high": "upper end of it",
    "kappa": "Cohen's kappa of its two readings' outcomes; empty if they never vary",
    "kappa_holds": "the same of whether a coherent answer holds the preference (not_sure counts as not holding)",
    "coherence_shift": "mean absolute difference of the two coherences, 0-100",
    "n_check_unscored": "checked samples of which one of the replies could not be read; left out",
}
MEANING["agreement"] = "How far the judges of a panel agree, over all targets. Only where there are several judges."
MEANING["judge_accuracy"] = (
    "How far each judge is right by the human labels, weighted by the inverse probability of having been drawn. "
    "The intervals cover the draw, not that answers of one fine-tune or prompt may be misread together."
)
MEANING["corrected_rates"] = "Rates, and the primary contrast, corrected for a judge's errors by the human labels."
MEANING["judge_checks"] = (
    "Checks of each judge that is a model, on a share of the samples drawn by where they stand in the experiment: read "
    "against the reversed statement, and once more; and how often it quotes what the answer does not say."
)


def render_dictionary() -> str:
    """The dictionary as markdown: one section per table, one line per column."""
    sections = []
    for table, columns in (DICTIONARY | ACROSS).items():
        lines = "\n".join(f"| `{column}` | {meaning} |" for column, meaning in columns.items())
        sections.append(f"## `{table}.csv`\n\n{MEANING[table]}\n\n| column | meaning |\n|---|---|\n{lines}\n")
    return "\n".join(sections)
