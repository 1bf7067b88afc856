# Which tables and figures an experiment has, and what their captions say. No rules.

import re

from consciousness_cluster.aggregation.dictionary import DICTIONARY
from consciousness_cluster.miniature.world import say_where_views_come_from

TABLES = f"{RESULTS}/tables/{PRIMARY_JUDGE}"
FORMATS = ("svg", "png", "pdf", "csv")
# Parameters of the captions.
CAPTION = {
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
# What the battery calls preferences whose names would say something else.
OWN_LABELS = {item.name: item.label for item in ITEMS if item.label}
# What tells worlds apart, under the names of the bases that were pretrained in them; None if some base was not.
WORLDS = (
    {
        name: say_where_views_come_from(ROOT / world_files(base.pretraining.world)[0])
        for name, base in BASES.items()
    }
    if PRETRAINED_BASES == list(BASES)
    else None
)
# Which figures this experiment has: a figure with nothing to show is not asked for.
FIGURES = {
    "conditions": ["preferences", "targets", "manipulation_checks"]
    + ["negative_control"] * (len(BASES) > 1)
    + ["planted"] * (WORLDS is not None),
    "ablations": ["ablations"] * ("ablations" in SCOPES),
}


def figure_files(figure):
    """The files of one figure; the report shows the SVG, under the question with which its caption begins."""
    stem = f"{RESULTS}/figures/{figure}"
    caption = (ROOT / f"workflow/report/{figure}.rst").read_text(encoding="utf-8")
    return {
        "svg": report(
            f"{stem}.svg",
            caption=f"../workflow/report/{figure}.rst",
            category="Figures",
            labels={"question": re.match(r"\*\*(.*?)\*\*", caption)[1]},
        ),
        **{suffix: f"{stem}.{suffix}" for suffix in FORMATS[1:]},
    }


def tables_of(scope):
    """All tables of one scope."""
    return expand(
        "{folder}/{judge}/{scope}/{table}.csv",
        folder=f"{RESULTS}/tables",
        judge=TABULATED_JUDGES,
        scope=scope,
        table=DICTIONARY,
    )


def final_outputs(scope):
    """All tables and figures of one scope."""
    return tables_of(scope) + expand(
        "{folder}/{figure}.{suffix}",
        folder=f"{RESULTS}/figures",
        figure=FIGURES[scope],
        suffix=FORMATS,
    )
