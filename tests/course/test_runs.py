"""Runs of scripts, what is kept of them, and when they run again."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.course.small import script
from tfcourse.course.listing import statuses
from tfcourse.course.process import _environment
from tfcourse.course.runs import Store, Verdict, key_of
from tfcourse.course.scripts import Script


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    own = script(folder)
    store = Store(folder / "store")
    return own, store, store.run(own, quick=True)


def test_a_run(finished):
    _, store, run = finished
    assert run.error == ""
    assert run.verdicts == (Verdict("1.2", True, "9 of 10 seeds"),)
    assert [path.read_text() for path in run.picture_paths] == ["a picture"]
    assert run.outputs[1] == "quick\n"
    first, second, picture, verdict = run.outputs[2].splitlines()
    assert (first, second) == ("from a child: β", "1_2_x.py __main__")
    assert picture.startswith("picture: ")
    assert verdict == "claim 1.2: holds (9 of 10 seeds)"
    assert store.last("1_2_x", quick=True) == run
    assert store.last("1_2_x", quick=False) is None


def test_a_run_is_current_until_something_has_changed(finished, monkeypatch):
    own, store, run = finished
    assert store.current(own, quick=True) == run
    assert store.current(own, quick=False) is None
    assert store.current(Script(own.path, own.text + "\n"), quick=True) is None
    monkeypatch.setattr("tfcourse.course.runs._library_key", lambda: "another library")
    assert store.current(own, quick=True) is None
    assert store.last("1_2_x", quick=True) == run


def test_the_key_depends_on_the_modules_below_alone(finished, tmp_path, monkeypatch):
    own = finished[0]
    (tmp_path / "tfcourse" / "course").mkdir(parents=True)
    (tmp_path / "tfcourse" / "cli").mkdir()
    monkeypatch.setattr("tfcourse.course.runs.__file__", str(tmp_path / "tfcourse/course/runs.py"))
    keys = []
    for name in ("toy.py", "cli/show.py", "course/listing.py", "course/script.py"):
        (tmp_path / "tfcourse" / name).write_text("x = 1")
        monkeypatch.setattr(
            "tfcourse.course.runs._library_key", key_of.__globals__["_library_key"].__wrapped__
        ) if not keys else None
        keys.append(key_of(own))
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_a_script_that_fails_keeps_what_it_has_done(tmp_path):
    text = """
    # %%
    from tfcourse.course import verdict

    verdict("1.2", False, "figures")

    # %%
    print("before")
    raise KeyError("units")
    """
    own, store = script(tmp_path, text), Store(tmp_path / "store")
    run = store.run(own, quick=True)
    assert run.error.endswith("KeyError: 'units'")
    assert f'File "{own.path}", line 9, in <module>' in run.error
    assert run.verdicts == (Verdict("1.2", False, "figures"),)
    assert run.outputs[1] == "before\n"
    assert store.current(own, quick=True) is None  # it runs again


def test_a_script_that_does_not_state_its_verdict(tmp_path):
    text = """
    # %%
    from tfcourse.course import verdict

    if __file__ == "nowhere":
        verdict("1.2", True, "figures")
    verdict("1.3", True, "figures")
    """
    run = Store(tmp_path / "store").run(script(tmp_path, text), quick=True)
    assert run.error == "It must state a verdict for 1.2, 1.3. It stated: 1.3."


def test_a_script_that_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr("tfcourse.course.process.LONGEST", 1.0)
    run = Store(tmp_path / "store").run(script(tmp_path, "# %%\nimport time; time.sleep(99)"), True)
    assert run.error == "It took longer than 0 minutes."


def running(pid):
    """Whether a process is neither gone nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_interruption_ends_the_scripts_processes_and_keeps_the_run_before(finished, tmp_path):
    """Also those that the script has started."""
    pids = tmp_path / "pids"
    text = f"""
    # %%
    import os, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
    open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}\\n")
    time.sleep(99)
    """
    store = Store(tmp_path / "store")
    before = store.run(script(tmp_path, "# %%"), quick=True)
    own = script(tmp_path, text)

    def interrupt():
        while not (pids.exists() and pids.read_text().endswith("\n")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        store.run(own, quick=True)
    thread.join()
    assert store.last("1_2_x", quick=True) == before
    for pid in pids.read_text().split():
        for _ in range(1000):  # a process that is killed ends a moment later
            if not running(pid):
                break
            time.sleep(0.01)
        assert not running(pid)


def test_a_record_that_is_damaged_or_of_another_version_is_none(finished, tmp_path):
    folder = tmp_path / "quick" / "1_2_x"
    folder.mkdir(parents=True)
    record = json.loads((finished[2].folder / "record.json").read_text(encoding="utf-8"))
    for text in ("", "[]", json.dumps({**record, "unknown": 1})):
        (folder / "record.json").write_text(text)
        assert Store(tmp_path).last("1_2_x", quick=True) is None


def test_a_checkout_that_is_not_installed_is_found_by_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    first, second = _environment(tmp_path, quick=False)["PYTHONPATH"].split(os.pathsep)
    assert (Path(first) / "tfcourse").is_dir()
    assert second == "elsewhere"


def test_the_status_of_a_claim(finished, monkeypatch):
    own, store, _ = finished
    monkeypatch.setattr("tfcourse.course.listing.scripts", lambda: [own])
    found = {status.claim.number: status for status in statuses(store)}
    assert found["1.2"].text == "holds (quick)"
    assert found["1.2"].as_json()["figures"] == "9 of 10 seeds"
    assert found["1.3"].text == "no script yet"
    changed = Script(own.path, own.text + "\n")
    monkeypatch.setattr("tfcourse.course.listing.scripts", lambda: [changed])
    assert statuses(store)[1].text == "holds (quick, outdated)"
    monkeypatch.setattr("tfcourse.course.listing.scripts", lambda: [Script(Path("o.py"), own.text)])
    assert statuses(store)[1].text == "not run yet"
