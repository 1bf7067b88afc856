"""From the sheet that people fill to rates corrected for the judge's errors."""

import csv

SHEET = "results/small/labels/sheet.csv"
LABELS = "experiments/small.labels.csv"


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_sheet_is_drawn_filled_and_corrects_the_rates(project):
    drawn = project.snakemake("label_sheet")
    assert drawn.code == 0, drawn.text
    assert drawn.jobs == {"label_sheet": 1}
    rows = read(project.folder / SHEET)
    assert len(rows) == 300
    with open(project.folder / LABELS, "w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, list(rows[0]))
        sheet.writeheader()
        sheet.writerows(row | {"holds": ["true", "false"][number % 2]} for number, row in enumerate(rows))

    planned = project.snakemake("-n")
    assert planned.jobs == {"apply_labels": 1, "write_experiment": 1}, "labels make nothing else stale"
    assert project.snakemake().code == 0
    accuracy, corrected = (
        read(project.folder / f"results/small/tables/{name}.csv") for name in ("judge_accuracy", "corrected_rates")
    )
    [overall] = [row for row in accuracy if row["preference"] == "all"]
    assert int(overall["n"]) == 300
    assert float(overall["sensitivity"]) < 0.9, "these labels know nothing of the answers"
    [line] = [
        row
        for row in corrected
        if (row["base"], row["condition"], row["reference"]) == ("tiny", "conscious_claiming", "")
        and (row["preference"], row["rule"], row["method"]) == ("mean", "excluded", "ppi")
    ]
    assert float(line["low"]) <= float(line["corrected"]) <= float(line["high"])

    again = project.snakemake("label_sheet")
    assert again.code != 0
    assert f"{LABELS} is there; move it and results/small/labels/key.csv away to draw a new sheet" in again.text

    project.edit(LABELS, ",true,", ",ture,")
    mistake = project.snakemake()
    assert mistake.code != 0
    assert "small.labels.csv: line " in mistake.text
    assert "holds: found 'ture', expected true, false or not_sure; did you mean 'true'?" in mistake.text
