"""A search on a Ray cluster of two nodes, one of which is killed in the middle."""

import re
import threading
import time

from tests.search.runtime.pools import same
from tfcourse import Search

# The trials of a worker on Ray run in a thread. Each waits while there is a file "hold".
TRIALS = """
import os, threading, time
from pathlib import Path

def trial(input_shape, classes):
    print("builds")
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.1)
        while Path("hold").exists():
            Path(f"held-{os.getpid()}").touch()
            time.sleep(0.01)
    return linear(input_shape, classes)
"""


def test_a_node_is_killed(cluster, quick, tmp_path, capfd):
    rounds = {"strategy": "coarse_to_fine", "coarse_to_fine": {"trials_per_round": 4}}
    search = quick(TRIALS, builder="trial", search={"trials": 10, **rounds})
    alone = Search(search.config, tmp_path / "alone").run(verbose=False)
    first, _ = [cluster.add_node(num_cpus=1) for _ in range(2)]
    hold = tmp_path / "hold"

    def kill():
        hold.touch()
        while len([*tmp_path.glob("held-*")]) < 2:
            time.sleep(0.01)
        cluster.remove_node(first, allow_graceful=False)  # its processes get a SIGKILL
        hold.unlink()

    killing = threading.Thread(target=kill)
    killing.start()
    result = search.run(on="ray")
    killing.join()
    assert same(result) == same(alone)
    assert result.rounds == alone.rounds
    assert result.summary.test == alone.summary.test
    shown = capfd.readouterr().err
    assert re.search(r"w\d ended in trial [01] as Ray tells: .*node", shown), shown
    assert "builds" in shown
    assert Search(search.config, search.out).run().was_complete
