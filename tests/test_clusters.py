"""The cluster examples: their commands are ones that tfcourse has."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CLUSTERS = Path(__file__).parent.parent / "examples" / "clusters"

# Takes the place of tfcourse: notes its arguments, and checks them as the command would.
STAND_IN = f"""#!{sys.executable}
import sys
from pathlib import Path
from typer.main import get_command
from tfcourse.cli import app
name, *arguments = sys.argv[1:]
get_command(app).commands[name].make_context(name, list(arguments))
with Path("called").open("a") as file:
    print(*sys.argv[1:], file=file)
"""


@pytest.fixture
def call(tmp_path):
    """Runs a shell command with the stand-in; gives the arguments of what it called."""
    stand_in = tmp_path / "bin" / "tfcourse"
    stand_in.parent.mkdir()
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)

    def run(command, **environment):
        path = f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"
        ended = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PATH": path, **environment},
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr
        called = tmp_path / "called"
        (arguments,) = called.read_text().splitlines()
        called.unlink()
        return shlex.split(arguments)

    return run


def test_slurm(call, tmp_path):
    script, submitted = str(CLUSTERS / "slurm.sh"), {"SLURM_SUBMIT_DIR": str(tmp_path)}
    submitted |= {"SLURM_ARRAY_JOB_ID": "123456", "TFCOURSE_TOKEN": "secret"}
    chief = call([script, "a.toml"], SLURM_ARRAY_TASK_ID="0", **submitted)
    assert chief[:4] == ["chief", "a.toml", "--bind", "0.0.0.0:23456"]
    worker = call([script, "a.toml"], SLURM_ARRAY_TASK_ID="3", **submitted)
    host = subprocess.run(["hostname"], capture_output=True, text=True).stdout.strip()
    assert worker[:6] == ["worker", "a.toml", "--connect", f"{host}:23456", "--id", "task-3"]
    assert chief[chief.index("--out") + 1] == worker[worker.index("--out") + 1]


def test_kubernetes(call):
    text = (CLUSTERS / "kubernetes.yaml").read_text()
    chief, worker = (
        call(["sh", "-c", line], POD="tfcourse-worker-2", TFCOURSE_TOKEN="secret")
        for line in re.findall(r'args: \["(.*)"\]', text)
    )
    assert chief[:2] == ["chief", "/config/search.toml"]
    assert worker[:2] == ["worker", "/config/search.toml"]
    port = chief[chief.index("--bind") + 1].rpartition(":")[2]
    assert worker[worker.index("--connect") + 1] == f"tfcourse-chief:{port}"
    assert f"ports: [{{port: {port}}}]" in text
    assert worker[worker.index("--id") + 1] == "tfcourse-worker-2"
    assert chief[chief.index("--out") + 1] == worker[worker.index("--out") + 1] == "/runs"


# Take the places of ray and ssh: note their arguments and their token, and last as a node does.
NODE = """#!/bin/bash
echo "${0##*/} $*" >> nodes
case "$*" in *"start "*) ;; *) cat > token; exit ;; esac
[ "${0##*/}" = ssh ] || [ "$RAY_AUTH_TOKEN" ] || exit 1
echo "ray start --address='10.0.0.1:6379'"
echo "Ray runtime started"
trap 'echo "${0##*/} ended" >> nodes; exit' TERM
while true; do sleep 0.05; done
"""


# Takes the place of tfcourse: ends by SIGTERM, or after 20 s.
SEARCH = """#!/bin/bash
trap 'echo "search ended" >> nodes; exit 130' TERM
read -r answer && echo "search began: $answer" >> nodes
for i in {1..400}; do sleep 0.05; done
"""


@pytest.fixture
def programs(tmp_path):
    """Makes programs in the folder of the stand-in."""

    def make(**texts):
        for name, text in texts.items():
            (tmp_path / "bin" / name).write_text(text)
            (tmp_path / "bin" / name).chmod(0o755)

    return make


def test_ray(call, programs, tmp_path):
    programs(ray=NODE, ssh=NODE)
    nodes = tmp_path / "nodes"
    script = str(CLUSTERS / "ray.sh")
    current = tmp_path / "ray" / "ray_current_cluster"
    current.parent.mkdir()
    current.write_text("10.0.0.1:6379")
    searched = call([script, "a.toml", "--out", "r"], RAY_TMPDIR=str(tmp_path))
    assert not current.exists()
    assert searched == ["search", "a.toml", "--out", "r", "--on", "ray"]
    head, *others = nodes.read_text().splitlines()
    assert head.startswith("ray start --head --num-cpus 0 --port 6379 ")
    assert (
        others == ["ray start --address 10.0.0.1:6379 --num-cpus 1 --block"] * 2 + ["ray ended"] * 3
    )
    nodes.unlink()
    current.write_text("10.0.0.2:6379")
    call(
        [script, "a.toml"],
        HOSTS="n1 n2",
        ENVIRONMENT=str(tmp_path),
        RAY_TMPDIR=str(tmp_path),
        RAY_ADDRESS="10.0.0.2:6379",
    )
    assert current.exists()  # it is of another cluster
    _, copy, first, _, second, *ended = nodes.read_text().splitlines()
    assert copy == "ssh n1 umask 077; cat > .tfcourse-ray"
    token = (tmp_path / "token").read_text().strip()
    assert len(token) == 64 and token not in nodes.read_text()
    assert first.startswith("ssh -tt n1 ") and second.startswith("ssh -tt n2 ")
    assert re.sub(" +", " ", first).endswith(
        f"{tmp_path}/bin/ray start --address 10.0.0.1:6379 --block"
    )
    assert sorted(ended) == ["ray ended", "ssh ended", "ssh ended"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_ray_ends_in_the_middle_of_a_search(call, programs, tmp_path, number, code):
    programs(ray=NODE, tfcourse=SEARCH)
    nodes = tmp_path / "nodes"
    environ = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        [CLUSTERS / "ray.sh", "a.toml"],
        cwd=tmp_path,
        env=environ,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.PIPE,
        text=True,
    )
    process.stdin.write("y\n")
    process.stdin.close()
    while not (nodes.exists() and "search began: y" in nodes.read_text()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    assert nodes.read_text().splitlines()[-4:] == ["search ended"] + ["ray ended"] * 3
