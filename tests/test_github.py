"""What GitHub reads: workflows, forms and the citation say what is so."""

import re
import tomllib
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name):
    return yaml.safe_load((ROOT / ".github" / name).read_text(encoding="utf-8"))


def test_the_workflow_runs_what_every_change_must_pass():
    jobs = read("workflows/ci.yml")["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert "bash .ci/run" in commands
    for command in commands:
        assert (ROOT / command.split()[1]).is_file()
    assert jobs["everything"]["timeout-minutes"] <= 90
    names = [c.rpartition(" :: ")[2] for c in PROJECT["classifiers"] if " :: 3." in c]
    assert jobs["everything"]["strategy"]["matrix"]["python"] == names


@pytest.mark.parametrize("name", ["error", "proposal"])
def test_a_form_asks_for_the_doctor(name):
    fields = read(f"ISSUE_TEMPLATE/{name}.yml")["body"]
    (doctor,) = (field for field in fields if field.get("id") == "doctor")
    assert doctor["attributes"]["label"] == "tfcourse doctor"
    assert doctor.get("validations", {}).get("required", False) == (name == "error")


def test_the_citation_is_of_this_version():
    citation = read("CITATION.cff")
    assert (citation["title"], citation["version"]) == (PROJECT["name"], PROJECT["version"])
    assert citation["authors"] == PROJECT["authors"]


@pytest.mark.parametrize("name", ["SECURITY.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(name):
    text = (ROOT / ".github" / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http)([^)#]+)", text)
    assert all((ROOT / ".github" / link).exists() for link in links), links
