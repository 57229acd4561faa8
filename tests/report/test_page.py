"""The page of searches of every kind, and the command that writes it."""

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.report.runs import MARKUP, RATE, WIDE, by_rate, sometimes, trials, wide_run
from tests.search.run_directories import completed, failed, write_run
from tfcourse.cli import app
from tfcourse.report import importance
from tfcourse.report import report as reports
from tfcourse.report.figures.curves import MOST_POINTS, curves_panel
from tfcourse.report.page.assembly import page
from tfcourse.report.report import panels_of
from tfcourse.search.results.search_record import read_record

ONE = {"learning_rate": RATE}


@pytest.fixture(autouse=True)
def few_forests(monkeypatch):
    """Fit two forests for the importances: how they are measured is `test_study`'s."""
    monkeypatch.setattr(importance, "FORESTS", 2)


def write(directory, *options):
    return CliRunner().invoke(app, ["report", str(directory), *map(str, options)])


def parts(tmp_path, space, records, **search):
    """The panels of a search by name, and its page without plotly."""
    search = {"trials": max(len(records), 1), **search}
    record = read_record(write_run(tmp_path / "run", space, records, **search))
    panels = panels_of(record)
    return {p.name: p for p in panels.all}, page(record, panels, "", "")


def reasons(panels):
    return {name: panel.text for name, panel in panels.items() if panel.figure is None}


def figures_of(html):
    (text,) = re.findall('<script type="application/json" id="figures">(.*?)</script>', html)
    return json.loads(text)


NO_IMPORTANCE = {
    "importance": "It takes 8 completed trials; there are {}.",
    "contour": "It takes two hyperparameters and 8 completed trials.",
}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_trials(tmp_path, count):
    panels, html = parts(tmp_path, ONE, trials(ONE, count, by_rate))
    expected = {name: text.format(count) for name, text in NO_IMPORTANCE.items()}
    if count == 1:
        expected["parallel"] = "It takes two completed trials with hyperparameters."
    assert reasons(panels) == expected
    for text in expected.values():
        assert text in html
    assert {*figures_of(html)} == {*panels} - {*expected}


def test_no_trial(tmp_path):
    panels, html = parts(tmp_path, ONE, [])
    assert figures_of(html) == {}
    assert reasons(panels)["history"] == "No trial has completed, so there is no score to show."
    assert "0 of 1 trials are on record." in html


def test_all_failed(tmp_path):
    panels, html = parts(tmp_path, ONE, trials(ONE, 12, lambda *_: None))
    assert {*reasons(panels)} == {*panels}
    assert "12 of 12 trials, by reason" in html
    assert "The loss was not finite in epoch 1" in html


def test_one_hyperparameter(tmp_path):
    panels, _ = parts(tmp_path, ONE, trials(ONE, 20, by_rate))
    assert reasons(panels) == {"contour": NO_IMPORTANCE["contour"]}


def test_equal_scores(tmp_path):
    panels, _ = parts(tmp_path, WIDE, trials(WIDE, 20, lambda *_: 0.5))
    assert reasons(panels) == dict.fromkeys(("importance", "contour"), "All scores are the same.")


def test_histories_with_nan(tmp_path):
    records = trials(ONE, 10, by_rate)
    gap = {"val_accuracy": [0.1, None, 0.3], "accuracy": [None] * 3}
    records = [replace(record, history=gap) for record in records]
    _, html = parts(tmp_path, ONE, records)
    of_best = figures_of(html)["curves"]["data"][-1]
    assert of_best["y"] == [0.1, None, 0.3]


def test_other_states_are_a_group_of_their_own(tmp_path, monkeypatch):
    record = read_record(write_run(tmp_path / "run", ONE, trials(ONE, 12, by_rate), trials=12))
    stopped = replace(record.trials[3], status="pruned", message="behind the median")
    record = replace(record, trials={**record.trials, 3: stopped})
    panels = panels_of(record)
    names = [trace.name for trace in panels.history.figure.data]
    assert names == ["best so far", "completed", "pruned", "best"]
    html = page(record, panels, "", "")
    assert "behind the median" in html
    assert "11 completed, 1 pruned" in html


def test_a_thousand_trials_draw_a_choice_of_their_curves(tmp_path):
    records = trials(ONE, 20, sometimes, epochs=40)
    many = {n: replace(records[n % 20], trial=n) for n in range(1000)}
    record = replace(read_record(write_run(tmp_path / "run", ONE, [])), trials=many)
    panel = curves_panel(record)
    (counts,) = re.findall(r"Of (\d+) trials, the (\d+) best and (\d+) of the others", panel.text)
    all_trials, best, others = map(int, counts)
    assert all_trials == sum(bool(r.history) for r in many.values())
    assert 100 <= best + others <= MOST_POINTS / 40
    assert len(panel.figure.data[0].x) <= MOST_POINTS + 1000


def test_each_axis_has_its_own_scale(tmp_path):
    panels, _ = parts(tmp_path, WIDE, trials(WIDE, 40, sometimes))
    of_name = {panel.title: panel for panel in panels.values()}
    axis = of_name["beta_1"].figure.layout.xaxis
    assert axis.ticktext == ("0.9", "0.95", "0.99", "0.995", "0.999")
    assert of_name["beta_1"].text == "log scale of 1-β, when optimizer is adam"
    dimensions = {d.label: d for d in panels["parallel"].figure.data[0].dimensions}
    assert dimensions["beta_1"].ticktext[0] == "–"
    assert min(dimensions["beta_1"]["values"]) == pytest.approx(dimensions["beta_1"].range[0])
    assert dimensions["optimizer"].ticktext == ("adam", "momentum", "", "")


def test_names_and_messages_are_escaped(tmp_path):
    record = read_record(wide_run(tmp_path / "wide"))
    html = page(record, panels_of(record), MARKUP, "")
    assert "<b>bold" not in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    figures = figures_of(html)
    hovers = [text for trace in figures["history"]["data"] for text in trace.get("hovertext", ())]
    assert any("kind: &lt;b&gt;bold" in text for text in hovers)
    allowed = re.compile(r"</?b>(?=trial|<br>|$| )|<b>trial \d+</b>|<br>")
    assert not any("<" in allowed.sub("", text) for text in hovers)
    assert any("%{x}" in text for text in hovers)  # and no template would fill it in


def test_names_of_hyperparameters_metrics_and_columns_are_escaped(tmp_path):
    """Also in the figures, whose JSON a closing tag would end."""
    tag = "</script><script>alert(2)</script>"
    space = {f"rate{tag}": RATE, f"kind{tag}": {"values": [tag, "plain"]}}
    metric = f"val_{tag}"
    records = [
        completed(
            n, 0.5 + n / 50, {f"rate{tag}": 0.01 * 1.2**n, f"kind{tag}": [tag, "plain"][n % 2]},
            history={metric: [0.1, 0.2, 0.5 + n / 50], "loss": [0.3, 0.2, 0.1]},
        )
        for n in range(12)
    ]  # fmt: skip
    records.append(failed(12, records[0].values, f"ValueError: the column {tag} is empty"))
    path = write_run(tmp_path / "run", space, records, objective=metric, direction="max")
    record = read_record(path)
    html = page(record, panels_of(record), (path / "config.toml").read_text(), "")
    assert "<script>alert" not in html
    assert html.count("<script") == html.count("</script>") == page_scripts(html)
    assert html.count("&lt;script&gt;alert(2)") >= 5
    assert figures_of(html)


def page_scripts(html):
    """The number of the page's own scripts: its figures, Plotly and its program."""
    return len(re.findall(r'<script(?: type="application/json" id="figures")?>', html))


def test_the_command_imports_no_tensorflow(tmp_path):
    space = {name: WIDE[name] for name in ("learning_rate", "optimizer", "beta_1")}
    directory = write_run(tmp_path / "run", space, trials(space, 20, sometimes), trials=20)
    code = (
        "import sys\nfrom tfcourse.__main__ import app\n"
        f"app(['report', {str(directory)!r}], standalone_mode=False)\n"
        "print({'tensorflow', 'keras', 'keras_tuner'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *paths, heavy = run.stdout.split("\n")[:-1]
    assert heavy == "set()"
    assert paths[0].split() == ["report", str(directory / "report.html")]
    html = (directory / "report.html").read_text(encoding="utf-8")
    assert html.count("plotly.js v") >= 1
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', html.partition("<script>")[0])
    # The run directory is still one, and another report replaces the first.
    assert read_record(directory).problems == []
    out = tmp_path / "elsewhere"
    assert write(directory, "--out", out).exit_code == 0
    assert (out / "report.html").is_file()


def test_packages_that_are_missing(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    absent = {"plotly", "sklearn"}
    monkeypatch.setattr(
        reports.importlib.util, "find_spec", lambda name: None if name in absent else found(name)
    )
    result = write(wide_run(tmp_path / "wide", 2))
    assert result.exit_code == 2
    assert result.output == (
        "Error: A report needs plotly and scikit-learn. Install: pip install plotly scikit-learn.\n"
    )


def test_a_search_writes_its_report_at_its_end(quick, untrained, monkeypatch):
    search = quick()
    config = search.out.parent / "search.toml"
    result = CliRunner().invoke(app, ["search", str(config), "--out", str(search.out), "--report"])
    assert result.exit_code == 0
    *_, report, pictures = result.output.splitlines()
    assert report.split() == ["report", str(search.directory / "report.html")]
    assert pictures.split() == ["pictures", str(search.directory / "report"), "(4", "PNG", "files)"]
    html = (search.directory / "report.html").read_text(encoding="utf-8")
    assert f"tfcourse search {search.directory}/config.toml --out runs-again" in html
    assert "measured once" in html
    monkeypatch.setattr(reports.importlib.util, "find_spec", lambda name: None)
    missing = CliRunner().invoke(app, ["search", str(config), "--fresh", "--yes", "--report"])
    assert missing.exit_code == 2
    assert "A report needs matplotlib and optuna and plotly and scikit-learn." in missing.output


def test_a_search_whose_config_is_lost(tmp_path):
    directory = wide_run(tmp_path / "wide", 16)
    (directory / "config.toml").unlink()
    summary = {"trial": 0, "objective": "val_accuracy", "score": 0.5, "test": {"accuracy": 0.5}}
    (directory / "summary.json").write_text(json.dumps(summary))
    record = read_record(directory)
    html = page(record, panels_of(record), "", "")
    assert "config.toml is lost or damaged." in html
    assert "The search&#x27;s own command continues it." in html
    assert {"history", "parallel", "curves", "importance"} <= {*figures_of(html)}


@pytest.mark.parametrize(("objective", "sign"), [("val_accuracy", 1), ("val_loss", -1)])
def test_the_contour_is_best_where_the_scores_are(tmp_path, objective, sign):
    space = {"learning_rate": RATE, "dropout": {"low": 0.0, "high": 0.5}}
    records = trials(space, 30, lambda *trial: sign * by_rate(*trial))
    panels, _ = parts(tmp_path, space, records, objective=objective)
    surface = panels["contour"].figure.data[0]
    z, scores = np.array(surface.z), [record.score for record in records]
    assert min(scores) <= z.min() < z.max() <= max(scores)
    assert abs(surface.x[(sign * z).mean(axis=0).argmax()] + 2) < 0.5
    assert np.ptp(z.mean(axis=0)) > 4 * np.ptp(z.mean(axis=1))


def test_no_value_ends_the_script_of_the_figures(tmp_path):
    space = {"learning_rate": RATE, "kind": {"values": ["plain", "</script>"]}}
    _, html = parts(tmp_path, space, trials(space, 10, by_rate))
    (lines,) = figures_of(html)["parallel"]["data"]
    assert "</script>" in lines["dimensions"][1]["ticktext"]
    (raw,) = re.findall('id="figures">(.*?)</script>', html)
    assert not {*"<>&"} & {*raw}
