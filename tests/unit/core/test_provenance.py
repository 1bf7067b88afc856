"""experiment.json says what made the tables beside it."""

import hashlib
import json
import subprocess

from consciousness_cluster.core.provenance import write_experiment


def test_the_commit_the_versions_and_the_tables_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "results" / "small" / "tables" / "lexicon" / "rates.csv"
    table.parent.mkdir(parents=True)
    table.write_text("rate\n0.5\n")
    for arguments in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"],
    ):
        subprocess.run(["git", *arguments], check=True)
    output = tmp_path / "results" / "small" / "experiment.json"
    battery: dict[str, str | None] = {"name": "few", "version": "1.0", "hash": "0" * 16}
    write_experiment({"name": "small"}, battery, ["a/b/seed0"], [str(table)], str(output))
    written = json.loads(output.read_text())
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert written["git"]["commit"] == head
    assert written["battery"] == battery
    assert written["versions"]["pandas"]
    assert written["tables"] == {"tables/lexicon/rates.csv": hashlib.sha256(b"rate\n0.5\n").hexdigest()[:16]}
