"""A Ray cluster of several nodes on this machine."""

import pytest


@pytest.fixture(scope="module")
def cluster():
    """A head without CPUs for trials, which the tests add nodes to; ``--on ray`` finds it."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    quickly = {"health_check_period_ms": 300, "health_check_timeout_ms": 600}
    quickly |= {"health_check_failure_threshold": 2, "health_check_initial_delay_ms": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": quickly}
        )
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        ray.shutdown()
        for node in [*made.worker_nodes, made.head_node]:
            made.remove_node(node, allow_graceful=False)  # else each drains for 30 s
        made.shutdown()  # deletes the file by which `--on ray` would look for it
