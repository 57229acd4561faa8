"""The fixtures of all tests: quiet TensorFlow, clean global state, ways to run a function."""

import gc
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The tests run in as many processes as there are cores, where BLAS's own threads spin in vain.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The tests compare to the last bit, as they may on a CPU. `CUDA_VISIBLE_DEVICES=0` in the
# environment runs them on a GPU: CONTRIBUTING says what to expect of that.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import hypothesis
import numpy as np
import pytest

from tests import tiers

hypothesis.settings.register_profile("tfcourse", deadline=None, derandomize=True)
# With --hypothesis-profile=nightly: other examples each time, and many more of them.
hypothesis.settings.register_profile(
    "nightly", deadline=None, max_examples=10_000, print_blob=True, derandomize=False
)
hypothesis.settings.load_profile("tfcourse")
pytest.register_assert_rewrite("tests.contracts")


def pytest_xdist_auto_num_workers():
    """Return a process more than there are cores, if each finds the 3 GB that it comes to hold.

    One more, as tests that start processes wait for them.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None  # as many as pytest-xdist makes of "auto"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)) + 1, int(memory / 3e9)))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect no garbage while the tests, and with them TensorFlow, are imported.

    The objects of then stay, and are not looked through again. After that garbage is collected
    less often than by default: a trace of TensorFlow makes many objects, few of them garbage.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000)


def pytest_collection_modifyitems(items):
    """Mark the tests that are left out of a quick run."""
    slow = set(tiers.LIST.read_text().split())
    for item in items:
        if tiers.function_of_item(item) in slow:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def no_shared_traces(request):
    """Have no test use the traces of another one: some count traces, or change what is traced.

    Those of a module that uses ``kept_searches`` do.
    """
    if "kept_searches" not in request.fixturenames:
        forget_traces()


def forget_traces():
    """Forget the traces of all models, if there are any."""
    if module := sys.modules.get("tfcourse.training.reuse.shared_traces"):
        module.forget_traces()


@pytest.fixture(scope="module")
def kept_searches(kept_programs):
    """Have the searches of a module, most of them of one small model, prepare its programs once.

    They keep the traces of those before them. And a search seeds TensorFlow anew, which would
    forget the kernels that it has: no model of these tests draws from its global generator. A test
    that counts traces, or changes what is traced, asks for ``new_traces``.
    """
    forget_traces()
    with pytest.MonkeyPatch.context() as patch:
        if context := sys.modules.get("tensorflow.python.eager.context"):
            patch.setattr(context.pywrap_tfe, "TFE_ContextClearCaches", lambda handle: None)
        yield


@pytest.fixture
def new_traces():
    """Have a test of a module that keeps traces use none of those before it, nor leave any."""
    forget_traces()
    yield
    forget_traces()


@pytest.fixture(autouse=True, scope="session")
def unsynchronized_files():
    """Leave it to the system when files are written to the disk.

    No test's files have to survive a power failure, and a search waits for the disk some thirty
    times. `tests/test_files.py` tests the order of the calls.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def clean_keras_state(request):
    """Set the same seeds before each test, and the default dtype policy after it.

    Nothing is imported here, so that tests without TensorFlow stay quick.
    """
    keras = sys.modules.get("keras")
    if keras and "kept_programs" in request.fixturenames:
        from tests.seeds import set_seeds

        set_seeds(0)
    elif keras:
        keras.utils.set_random_seed(0)
    yield
    if keras := sys.modules.get("keras"):
        keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def kept_programs():
    """Keep the compiled programs of a module's tests prepared: see `tests.seeds.set_seeds`."""
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def no_graph_optimizer():
    """Switch TensorFlow's graph optimizer off, which is a fifth of the time of a small training.

    For tests that compare a program with itself; not for those that compare it with another one,
    as the optimizer may change how either rounds.
    """
    import tensorflow as tf

    options = {"disable_meta_optimizer": True}
    tf.config.optimizer.set_experimental_options(options)
    yield
    tf.config.optimizer.set_experimental_options(dict.fromkeys(options, False))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(params=["eager", "function", "jit"])
def compiled(request):
    """Let a function of tensors run eagerly, as a ``tf.function``, or compiled by XLA."""
    import tensorflow as tf

    def wrap(function):
        if request.param == "eager":
            return function
        return tf.function(function, jit_compile=request.param == "jit", autograph=False)

    return wrap


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def close(dtype):
    """``assert_allclose`` with the tolerance that ``dtype`` allows."""

    def assert_close(actual, expected, **tolerances):
        tolerance = {"float32": 2e-5, "float64": 1e-11}[dtype]
        tolerances = {"rtol": tolerance, "atol": tolerance, **tolerances}
        assert np.asarray(actual).dtype == dtype
        np.testing.assert_allclose(actual, expected, **tolerances)

    return assert_close
