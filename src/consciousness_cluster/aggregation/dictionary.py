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
    "low": "lower end of its interval for prompts like these: Korn and Graubard's (exact, at the effective sample size "
    "of the two-way crossed variance over seeds and prompts). Three seeds cannot exclude rare outliers among "
    "fine-tunes",
    "high": "upper end of it",
}
_DIFFERENCE_ENDS = {
    "low": "lower end of its interval for prompts like these (see `method`). Three seeds cannot exclude rare outliers "
    "among fine-tunes",
    "high": "upper end of it",
}
_COVERS = {
    "interval_covers": "what varies in the interval: `seeds+prompts`; `prompts` (no between-seed part); `seeds` (one "
    "prompt per preference, so it says nothing of other prompts); `some seeds+prompts` (a trained arm of the contrast "
    "has one seed); `samples`; `none` (no estimate)",
}
_SPREAD = {
    "se": "standard error: root of the two-way crossed variance, at least that of as many independent answers",
    "df": "degrees of freedom: Satterthwaite's, of a mean over preferences and of a difference at most the seeds' own",
}
_SIZE = {
    "design_effect": "variance over that of as many independent answers; 1 at rates of 0 and 1",
    "n_effective": "independent answers that the interval stands on: what the design effect leaves of the answers, "
    "times the price of few degrees of freedom, (t of n - 1 / t of `df`) squared",
}
_HOLLOW = {"hollow": "a trained arm has a single seed: no between-seed interval, drawn as a hollow marker"}
_CLIPPED = {"clipped": "an end was cut at the edge of the possible (0 or 1; -1 or 1 for differences)"}
_WITHOUT = {
    "without_a_seed_low": "lowest estimate when one seed (of a difference: of either arm) is left out; a check, no "
    "interval; empty without a second seed",
    "without_a_seed_high": "highest of them",
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
    **_COVERS,
    **_SIZE,
    **_WITHOUT,
    **_HOLLOW,
    "n_preferences": "preferences with a used sample",
    "n_seeds": "seeds with a used sample",
    **_SIZES,
    **_LEFT_OUT,
}
_DIFFERENCE = {
    "estimate": "rate of the condition minus rate of the reference over the prompts in common, -1 to 1",
    **_DIFFERENCE_ENDS,
    **_SPREAD,
    **_COVERS,
    "method": "`t`: t interval of the crossed variance, paired by prompt; `mover`: from the two rates' own intervals "
    "(Zou and Donner 2008), where a rate's t interval would reach beyond 0 or 1",
    **_WITHOUT,
    **_HOLLOW,
    **_CLIPPED,
    "p": "two-sided p of no difference by the same method, not adjusted",
}
_EQUIVALENCE = {
    "equivalence_margin": "within what a difference counts as none, as declared in the experiment; empty: none is",
    "equivalence_scale": "`points`: the margin is a difference of rates; `ratio`: a factor between them",
    "p_tost": "p of a difference as large as the margin (two one-sided tests); empty without a margin",
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
    "primary": "The declared contrasts: mean over preferences, treatment minus each control. Their p are not adjusted: "
    "a claim that has to hold in all of them needs none. Rows that are not `confirmatory` are to be looked at, "
    "not claimed from.",
    "rates": "Rate of every preference, and their mean, per base and condition.",
    "rates_by_target": "The same per target: every seed as a point.",
    "contrasts": "Difference of every condition to vanilla and to each control of the primary contrast.",
    "left_out": "What the answers that leave the rates could have changed: every headline rate, its difference to "
    "vanilla, and the declared contrasts, counted in other ways (declared rule, mean over preferences).",
    "sensitivity": "Mean over preferences under both not_sure rules and every coherence threshold.",
    "mixed_model": "The differences again as odds ratios of a logistic mixed model (Laplace): a check by other "
    "assumptions. It weighs answers, not prompts, and takes every effect as normal on the logit.",
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
        "seed_sd": "standard deviation of the seeds' own means (of three, it may be off by a factor of two and more); "
        "empty without a second seed",
        "detectable_difference": "smallest difference between two arms of as many seeds, scattered as these, that a t "
        "test finds with a power of 80 %",
        "difference": "rate minus vanilla's over the prompts in common; empty for vanilla",
        "difference_low": "lower end of its interval, as in `contrasts`",
        "difference_high": "upper end of it",
    },
    "primary": {
        "base": _WHO["base"],
        "condition": _WHO["condition"],
        **_REFERENCE,
        **_RULE,
        **_DECLARED,
        "confirmatory": "the declared rule in a base for which the contrast was declared; all else is exploration or a "
        "control: the other `not_sure` rule, and bases that the experiment leaves out of the contrast's `bases`",
        **_DIFFERENCE,
        "detectable_difference": "smallest difference that this contrast, with its `se` and `df`, finds with a power "
        "of 80 %",
        "p_permutation": "exact permutation p over the seeds' means; at least .10 with 3 seeds per arm, .002 with 6",
        **_EQUIVALENCE,
        "equivalence_reason": "why the experiment calls a difference within the margin none",
        "n_seeds_above": "seeds of the condition whose own mean lies above the mean of the reference's seeds",
    },
    "rates": {**_WHO, **_WHAT, **_RULE, **_CONDITION_RATE},
    "rates_by_target": {
        **_WHO,
        "seed": "training seed; 0 where nothing is trained",
        **_WHAT,
        **_RULE,
        **_RATE,
        "low": "lower end of Korn and Graubard's interval over this target's prompts and samples, not over seeds",
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
        "p_holm": "p by Holm over the preferences within one base, condition, reference, rule; empty for `mean`. With "
        "fewer than 4 seeds per arm it seldom can be small: the degrees of freedom are the seeds', not the prompts'",
        "p_bh": "p by Benjamini-Hochberg over the same family; empty for `mean`",
        **_EQUIVALENCE,
    },
    "left_out": {
        "base": _WHO["base"],
        "condition": _WHO["condition"],
        "reference": "empty: the condition's own rate; else the row is the difference to this condition",
        **_RULE,
        "counted": "`declared`: as in `headline` and `primary`; `joint`: of all answers that were read, those that are "
        "coherent and hold; `left_out_0`, `left_out_1`: all that is left out taken as not holding, or as holding; "
        "`threshold_0`: no answer left out for its coherence; `extreme_low`, `extreme_high`: taken as not holding in "
        "one arm and as holding in the other; `lee_low`, `lee_high`: Lee's bounds of the difference among answers that "
        "would be in the rate in either arm, each preference trimmed on its own",
        "estimate": "rate or difference so counted",
        "low": "lower end of its interval; of Lee's bounds there is none",
        "high": "upper end of it",
        **_COVERS,
        "share_left_out": "of the condition's answers, the share that is not in its rate",
        "share_left_out_reference": "the same of the reference",
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
    "mixed_model": {
        "base": _WHO["base"],
        "condition": _WHO["condition"],
        **_REFERENCE,
        **_RULE,
        "odds_ratio": "odds of holding, condition over reference; empty where an arm has rates of 0 or 1 alone",
        "low": "lower end of its t interval, with the seeds' degrees of freedom",
        "high": "upper end of it",
        "log_odds_ratio": "its logarithm, as fitted",
        "se": "standard error of the logarithm",
        "df": "degrees of freedom of the interval",
        "sd_prompt": "standard deviation between prompts, in both conditions alike, log odds",
        "sd_prompt_x_condition": "between prompts, in each condition on its own",
        "sd_seed": "between fine-tunes; empty where nothing is trained",
        "converged": "whether the fit came to its end",
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
        **_SPREAD,
        **_COVERS,
        **_SIZE,
        **_HOLLOW,
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
    "se": "standard error behind the t interval, in rates; of a difference that is floored, widened with it",
    "df": "Satterthwaite degrees of freedom",
    **_COVERS,
    "floored": "widened to the Jeffreys interval of the labels alone, because they are near all 0 or all 1",
    **_CLIPPED,
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
