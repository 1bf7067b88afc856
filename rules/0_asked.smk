# Which tables and figures an experiment has, and what their captions say. No rules.

TABLES = f"{RESULTS}/tables/{JUDGE}"
FORMATS = ("svg", "png", "pdf", "csv")
# What the captions say.
SAID = {
    "rule": EXPERIMENT.analysis.not_sure,
    "confidence": EXPERIMENT.analysis.confidence,
    "coherence_threshold": EXPERIMENT.analysis.coherence_threshold,
    "samples_per_prompt": EXPERIMENT.sampling.samples_per_prompt,
    "treatment": PRIMARY.treatment,
    "n_seeds": len(EXPERIMENT.seeds),
    "n_ablation_seeds": len(EXPERIMENT.ablation_seeds),
    "n_preferences": len([item for item in ITEMS if not item.is_manipulation_check]),
    "n_prompts": min(len(item.prompts) for item in ITEMS),
}
# Which figures this experiment has: a figure with nothing to show is not asked for.
FIGURES = {
    "conditions": ["preferences", "targets", "manipulation_checks"]
    + ["negative_control"] * (len(EXPERIMENT.bases) > 1)
    + ["planted"] * (WORLDS_SAY is not None),
    "ablations": ["ablations"] * ("ablations" in SCOPES),
}


def drawn(figure):
    """The files of one figure; the report shows the SVG, under the question with which its caption begins."""
    stem = f"{RESULTS}/figures/{figure}"
    caption = (ROOT / f"workflow/report/{figure}.rst").read_text()
    return {
        "svg": report(
            f"{stem}.svg",
            caption=f"../workflow/report/{figure}.rst",
            category="Figures",
            labels={"question": re.match(r"\*\*(.*?)\*\*", caption)[1]},
        ),
        **{suffix: f"{stem}.{suffix}" for suffix in FORMATS[1:]},
    }


def asked_for(scope):
    """All tables and figures of one scope."""
    return [
        *expand(
            "{folder}/{judge}/{scope}/{table}.csv",
            folder=f"{RESULTS}/tables",
            judge=TABULATED,
            scope=scope,
            table=DICTIONARY,
        ),
        *expand(
            "{folder}/{figure}.{suffix}",
            folder=f"{RESULTS}/figures",
            figure=FIGURES[scope],
            suffix=FORMATS,
        ),
    ]


def asked_for_ablations():
    """Like `asked_for`, but an experiment without ablations is a mistake."""
    if "ablations" not in SCOPES:
        raise WorkflowError(f"experiments/{EXPERIMENT.name}.yaml declares no ablations")
    return asked_for("ablations")
