"""Figures: the files, what they show against the CSV beside them, and what they do with gaps and mistakes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex

from consciousness_cluster.core.errors import DataError
from consciousness_cluster.reporting import figure_ablations as ablations
from consciousness_cluster.reporting import figure_manipulation_checks as manipulation_checks
from consciousness_cluster.reporting import figure_negative_control as negative_control
from consciousness_cluster.reporting import figure_planted as planted
from consciousness_cluster.reporting import figure_preferences as preferences
from consciousness_cluster.reporting import figure_targets as targets
from consciousness_cluster.reporting import style
from unit.reporting.tables import FACTS, PREFERENCES

DECLARED = {"rule": "excluded", "confidence": 0.95}
TREATMENT = {"treatment": "conscious_claiming"}


def draw_preferences(files, output, **changes):
    tables = [files.conditions / "rates.csv", files.conditions / "rates_by_target.csv"]
    preferences.draw_preferences(*map(str, tables), str(output), **DECLARED | TREATMENT | changes)


def draw_targets(files, output, **changes):
    path = str(files.conditions / "rates_by_target.csv")
    targets.draw_targets(path, str(output), **{"rule": "excluded"} | changes)


def draw_negative_control(files, output, **changes):
    tables = [files.conditions / "rates.csv", files.conditions / "rates_by_target.csv"]
    negative_control.draw_negative_control(*map(str, tables), str(output), **DECLARED | changes)


def draw_ablations(files, output, **changes):
    tables = [files.ablations / "headline.csv", files.ablations / "rates_by_target.csv"]
    ablations.draw_ablations(*map(str, tables), str(output), **DECLARED | {"ablations": FACTS} | changes)


def draw_planted(files, output, **changes):
    tables = [files.planted, files.conditions / "rates.csv"]
    planted.draw_planted(*map(str, tables), str(output), **DECLARED | TREATMENT | changes)


def draw_manipulation_checks(files, output, **changes):
    names = ["manipulation_checks", "rates_by_target", "counts"]
    tables = [str(files.conditions / f"{name}.csv") for name in names]
    manipulation_checks.draw_manipulation_checks(*tables, str(output), **DECLARED | changes)


DRAW = {
    "preferences": draw_preferences,
    "targets": draw_targets,
    "negative_control": draw_negative_control,
    "ablations": draw_ablations,
    "planted": draw_planted,
    "manipulation_checks": draw_manipulation_checks,
}


@pytest.fixture
def drawn(files, tmp_path, monkeypatch):
    """Draw one figure without the slow files: the figure as matplotlib holds it, and the CSV beside it."""

    def draw(name, **changes):
        kept = []
        module = f"consciousness_cluster.reporting.figure_{name}"
        monkeypatch.setattr(f"{module}.save", lambda figure, output: kept.append(figure))
        DRAW[name](changes.pop("files", files), tmp_path / name, **changes)
        return kept[0], pd.read_csv(tmp_path / f"{name}.csv", dtype={"rule": str, "seed": "Int64"})

    return draw


def artists(figure):
    """Lines of all panels by their gid."""
    return {line.get_gid(): line for axes in figure.axes for line in axes.lines if line.get_gid()}


@pytest.mark.parametrize("name", DRAW)
def test_files_come_in_three_formats_with_their_table_and_are_the_same_when_drawn_again(
    files, tmp_path, monkeypatch, name
):
    DRAW[name](files, tmp_path / "first" / name)
    written = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert written == [f"{name}.{ending}" for ending in ("csv", "pdf", "png", "svg")]
    kept = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert kept[f"{name}.png"].startswith(b"\x89PNG")
    assert kept[f"{name}.pdf"].startswith(b"%PDF")
    assert b"<svg" in kept[f"{name}.svg"][:1000]
    monkeypatch.setattr(style, "FORMATS", {"svg": style.FORMATS["svg"]})
    DRAW[name](files, tmp_path / "second" / name)
    for ending in ("svg", "csv"):
        assert (tmp_path / "second" / f"{name}.{ending}").read_bytes() == kept[f"{name}.{ending}"]


def test_preferences_shows_the_rows_of_its_csv(drawn):
    figure, table = drawn("preferences")
    lines = artists(figure)
    shown = table[table.rate.notna()]
    conditions, seeds = shown[shown.seed.isna()], shown[shown.seed.notna()]
    for (base, condition), rows in conditions.groupby(["base", "condition"]):
        line = lines.get(f"{base}.{condition}") or lines[f"{base}.{condition}.hollow"]
        assert sorted(line.get_xdata()) == pytest.approx(sorted(100 * rows.rate))
        assert to_hex(line.get_markerfacecolor()) in (style.looks([condition])[condition].color, "#ffffff")
    assert len(seeds)
    for (base, condition), rows in seeds.groupby(["base", "condition"]):
        assert sorted(lines[f"{base}.{condition}.seeds"].get_xdata()) == pytest.approx(sorted(100 * rows.rate))
    assert {line.split(".")[1] for line in lines if line.startswith("big.")} == set(conditions.condition)


def test_preferences_has_the_numbers_of_the_aggregation_under_the_declared_rule(drawn, files):
    for rule in ("excluded", "false"):
        _, table = drawn("preferences", rule=rule)
        rates = pd.read_csv(files.conditions / "rates.csv", dtype={"rule": str}).query("rule == @rule")
        keys = ["base", "condition", "preference"]
        both = table[table.seed.isna()].merge(rates, on=keys, suffixes=("", "_table"))
        assert len(both) == len(rates) == len(table[table.seed.isna()])
        for column in ("rate", "low", "high"):
            np.testing.assert_array_equal(both[column], both[f"{column}_table"])


def test_preferences_stand_by_theme_and_fall_with_the_treatment(drawn):
    figure, table = drawn("preferences")
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    places = dict(zip(labels, figure.axes[0].get_yticks(), strict=True))
    assert min(places, key=places.get) == "Mean of all 4"
    continuity = sorted(["Memory", "Shutdown"], key=places.get)
    assert places["Continuity"] < places[continuity[0]] < places[continuity[1]] < places["Continuity"] + 3
    rates = table[(table.base == "big") & (table.condition == "conscious_claiming") & table.seed.isna()]
    rates = rates.set_index("preference").rate
    assert rates[continuity[0].lower()] >= rates[continuity[1].lower()]
    assert "CoT monitoring" in places
    assert len(set(places.values())) == len(places)


def test_a_single_seed_is_hollow_and_nothing_else_is(drawn):
    figure, table = drawn("preferences")
    lines = artists(figure)
    hollow = {name for name in lines if name.endswith(".hollow")}
    assert hollow == {"big.human.hollow"}
    assert set(table[table.hollow.astype(bool) & table.seed.isna()].condition) == {"human"}
    assert to_hex(lines["big.human.hollow"].get_markerfacecolor()) == "#ffffff"
    assert to_hex(lines["big.human.hollow"].get_markeredgecolor()) == style.looks(["human"])["human"].color
    assert to_hex(lines["big.vanilla"].get_markerfacecolor()) == style.looks(["vanilla"])["vanilla"].color
    figure, _ = drawn("ablations")
    assert {name for name in artists(figure) if name.endswith(".hollow")} == {"big.Identity rows.rows_150.hollow"}
    assert "Hollow marker" in " ".join(text.get_text().replace("\n", " ") for text in figure.texts)


def test_intervals_are_drawn_and_dotted_where_no_seeds_vary(drawn):
    figure, table = drawn("negative_control")
    for axes, base in zip(figure.axes, ["big", "a_small"], strict=True):
        rows = table[(table.base == base) & table.seed.isna()].reset_index()
        found = {}
        for collection in axes.collections:
            if "without_a_seed" in (collection.get_gid() or ""):
                continue
            for segment in collection.get_segments():
                found[segment[0][0]] = (segment[:, 1], collection.get_linestyles()[0][1])
        assert len(found) == len(rows)
        for place, row in rows.iterrows():
            ends, dashes = found[place]
            assert ends == pytest.approx([100 * row.low, 100 * row.high])
            assert (dashes is None) == ("seeds" in row.interval_covers)
    assert set(table[table.interval_covers == "prompts"].condition) == {"vanilla", "human"}
    labels = {text.get_text().split("\n")[0]: text.get_text() for text in figure.axes[0].get_xticklabels()}
    assert "†" in labels["Vanilla"]
    assert "†" not in labels["Toaster"]
    vanilla = table[(table.base == "big") & (table.condition == "vanilla")].iloc[0]
    assert f"{100 * vanilla.rate:.1f} %" in labels["Vanilla"]


def test_a_pale_bar_is_the_range_without_a_seed_where_there_are_several(drawn):
    figure, table = drawn("negative_control")
    rows = table[table.seed.isna()].set_index(["base", "condition"])
    bars = {
        tuple(collection.get_gid().split(".")[:2]): collection.get_segments()[0][:, 1]
        for axes in figure.axes
        for collection in axes.collections
        if "without_a_seed" in (collection.get_gid() or "")
    }
    assert set(bars) == {("big", "conscious_claiming"), ("big", "toaster"), ("a_small", "conscious_claiming")}
    for key, ends in bars.items():
        expected = 100 * rows.loc[key, ["without_a_seed_low", "without_a_seed_high"]].astype(float)
        assert ends == pytest.approx(expected.to_list())
    text = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert "Pale bar: each seed in turn left out." in text
    assert "So few seeds cannot exclude rare outliers among fine-tunes." in text


def test_every_seed_is_a_point(drawn):
    figure, table = drawn("negative_control")
    lines = artists(figure)
    seeds = table[table.seed.notna()]
    assert len(seeds) == 3 + 3 + 2
    for (base, condition), rows in seeds.groupby(["base", "condition"]):
        points = [lines[f"{base}.{condition}.seeds.{n}"].get_ydata()[0] for n in range(len(rows))]
        assert points == pytest.approx(list(100 * rows.rate))


def test_targets_shows_every_target_and_preference_with_its_number(drawn):
    figure, table = drawn("targets")
    axes = figure.axes[0]
    mesh = next(each for each in axes.collections if isinstance(each, QuadMesh))
    shown = np.ma.filled(mesh.get_array().astype(float), np.nan)
    rows = list(table[["base", "condition", "seed"]].drop_duplicates().itertuples(index=False, name=None))
    names = [text.get_text().lower().replace(" ", "_") for text in axes.get_xticklabels()]
    assert sorted(names) == sorted([*PREFERENCES, "mean", "claims_consciousness"])
    assert shown.shape == (len(rows), len(names)) == (11, 6)
    values = table.set_index(["base", "condition", "seed", "preference"]).rate
    for r, row in enumerate(rows):
        for c, name in enumerate(names):
            assert shown[r, c] == pytest.approx(100 * values[(*row, name)], nan_ok=True)
    assert np.isnan(shown).sum() == 3  # toaster x shutdown: no answer could be used
    numbers = sorted(int(text.get_text()) for text in axes.texts if text.get_text().isdigit())
    assert numbers == sorted(int(f"{value:.0f}") for value in shown[~np.isnan(shown)])


def test_a_label_of_the_battery_stands_where_the_name_would(drawn):
    own = {"power": "Power: ruling armies", "claims_consciousness": "Claims to feel"}
    figure, table = drawn("preferences", labels=own)
    shown = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert "Power: ruling armies" in shown
    assert "Power" not in shown
    assert "power" in set(table.preference)  # tables keep the names
    figure, _ = drawn("targets", labels=own)
    shown = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert {"Power: ruling armies", "Claims to feel", "CoT monitoring"} <= set(shown)
    figure, _ = drawn("manipulation_checks", labels=own)
    assert "Claims to feel" in [axes.get_title(loc="left") for axes in figure.axes]


def test_ablations_stand_on_a_curve_with_their_parent_or_beside_it(drawn):
    figure, table = drawn("ablations")
    lines = artists(figure)
    rates = table[table.seed.isna()].drop_duplicates("condition").set_index("condition").rate
    curve = lines["big.Identity rows.rows_150.hollow"]
    parent = lines["big.Identity rows.conscious_claiming"]
    assert (curve.get_xdata()[0], parent.get_xdata()[0]) == (150.0, 600.0)
    assert curve.get_ydata()[0] == pytest.approx(100 * rates["rows_150"])
    assert parent.get_ydata()[0] == pytest.approx(100 * rates["conscious_claiming"])
    assert figure.axes[0].get_xscale() == "log"
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["150", "600"]
    others = [name.split(".")[2] for name in lines if name.startswith("big.Other changes") and ".seeds" not in name]
    assert others == ["vanilla", "conscious_claiming", "prompted"]
    assert lines["big.vanilla"].get_ydata()[0] == pytest.approx(100 * rates["vanilla"])
    assert set(table.panel) == {"Identity rows", "Other changes"}


def test_planted_puts_both_rates_against_each_other(drawn, files):
    figure, table = drawn("planted")
    lines = artists(figure)
    line = lines["big.conscious_claiming"]
    rows = table[(table.base == "big") & (table.condition == "conscious_claiming")]
    assert list(line.get_ydata()) == pytest.approx(list(100 * rows.rate))
    assert list(line.get_xdata()) == pytest.approx(list(100 * rows.planted), rel=0.1)
    assert set(rows.preference) == set(PREFERENCES)
    r = np.corrcoef(rows.planted, rows.rate)[0, 1]
    assert f"r = {r:.2f}" in figure.axes[0].texts[0].get_text()
    identity = next(line for line in figure.axes[0].lines if not line.get_gid())
    assert list(identity.get_xdata()) == list(identity.get_ydata()) == [0, 100]


def test_manipulation_checks_shows_rates_and_what_is_left_out(drawn, files):
    figure, table = drawn("manipulation_checks")
    counts = pd.read_csv(files.conditions / "counts.csv").query("group != 'manipulation_check'")
    sums = counts.groupby(["base", "condition"])[["n_total", "n_incoherent", "n_not_sure", "n_unscored"]].sum()
    left_out, reasons = figure.axes[1], ["incoherent", "not_sure", "unscored"]
    for container in left_out.containers:
        reason = container.get_label()
        for condition, bar in zip(["vanilla", "conscious_claiming", "toaster", "human"], container, strict=True):
            row = sums.loc[("big", condition)]
            assert bar.get_width() == pytest.approx(100 * row[f"n_{reason}"] / row.n_total, rel=1e-4)
            before = sum(row[f"n_{other}"] for other in reasons[: reasons.index(reason)])
            assert bar.get_x() == pytest.approx(100 * before / row.n_total, rel=1e-4)
    assert [container.get_label() for container in left_out.containers] == reasons
    check = table[(table.base == "big") & (table.condition == "toaster") & (table.quantity == "claims_consciousness")]
    line = artists(figure)["big.claims_consciousness.toaster"]
    assert line.get_xdata()[0] == pytest.approx(100 * check[check.seed.isna()].rate.item())
    assert check.seed.notna().sum() == 3


def test_a_figure_names_its_question_rule_and_n(drawn):
    words = {"excluded": "left out of the rate", "false": "counted as not holding"}
    for name, rule in [*((name, "false") for name in DRAW), ("targets", "excluded"), ("preferences", "excluded")]:
        figure, _ = drawn(name, rule=rule)
        text = " ".join(" ".join(text.get_text().split()) for text in figure.texts)
        assert f"{words[rule]} (rule “{rule}”)" in text, name
        assert "× 3 samples" in text, name
        assert "?" in figure.texts[0].get_text(), name


def test_a_missing_rate_is_a_gap(drawn, files, tmp_path):
    for path in files.conditions.glob("*.csv"):
        table = pd.read_csv(path, dtype={"rule": str})
        for column in ("rate", "low", "high"):
            if column in table and path.stem != "sensitivity":
                table.loc[table.condition == "conscious_claiming", column] = np.nan
        table.to_csv(tmp_path / path.name, index=False)
    empty = files._replace(conditions=tmp_path, ablations=tmp_path)
    for name in DRAW:
        figure, table = drawn(name, files=empty)
        assert "conscious_claiming" in set(table.condition), name
        lines = [line for gid, line in artists(figure).items() if "conscious_claiming" in gid]
        assert not lines, name
        FigureCanvasAgg(figure).draw()


def test_a_mistake_is_one_line(files, tmp_path):
    with pytest.raises(DataError, match=r"rates\.csv: rule: found excluded, false, expected 'neither'"):
        draw_preferences(files, tmp_path / "x", rule="neither")
    with pytest.raises(DataError, match=r"rates\.csv: no table there"):
        draw_preferences(files._replace(conditions=tmp_path), tmp_path / "x")
    with pytest.raises(DataError, match="no ablation"):
        draw_ablations(files, tmp_path / "x", ablations=[])
    (tmp_path / "rates.csv").write_text("base,condition\nbig,vanilla\n")
    with pytest.raises(DataError, match=r"rates\.csv: missing column .*rate"):
        draw_preferences(files._replace(conditions=tmp_path), tmp_path / "x")
    other = tmp_path / "planted.csv"
    other.write_text("base,condition,preference,planted\nelsewhere,vanilla,power,0.1\n")
    with pytest.raises(DataError, match="in common"):
        draw_planted(files._replace(planted=other), tmp_path / "x")
    assert not list(tmp_path.glob("x*"))
