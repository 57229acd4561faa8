import importlib.util
import itertools
import re
from functools import partial

import pytest

from tfcourse.bench import fit as bench_fit
from tfcourse.bench import matrix_product
from tfcourse.bench.fit_work import WORKS, products, works
from tfcourse.bench.frame import Comparison, Spread, Timing


def test_every_contender_takes_part_in_a_small_bench():
    """Of batches of one size: XLA compiles a step for each."""
    rows = 15 * 128
    (warm,) = itertools.islice(bench_fit.bench(repeats=1, names=["mlp"], scale=rows / 20_000), 1)
    work = works(rows / 20_000)["mlp"]
    assert (len(work.x), work.batch_size) == (rows, 128)
    ours, theirs = [bench_fit.JIT, bench_fit.NO_JIT, bench_fit.AUTO], list(bench_fit.KERAS)
    others = {"torch": bench_fit.TORCH, "jax": bench_fit.JAX}
    installed = [name for module, name in others.items() if importlib.util.find_spec(module)]
    assert [t.name for t in warm.timings] == ours + theirs + installed
    assert warm.title == "MLP 784-256-128, 20 000 rows, batch 128, 1 epochs, warm"
    measured = r" GFLOP/s, measured with 1024×1024 matrices\) in the best round: "
    assert re.search(measured + r"fit, jit_compile=True \d+%", warm.note)


def test_a_new_model_takes_part_in_every_way(monkeypatch):
    """With models that were never trained, and the arguments of each way."""
    trained, models = [], []

    def fit(name, model, arguments):
        assert not any(model is other for other in models)
        models.append(model)
        assert not model.optimizer.built and arguments["epochs"] == 1
        compiled = model.steps_per_execution, model.jit_compile
        trained.append((name, arguments.get("jit_compile"), *compiled))
        return 0.5

    monkeypatch.setattr(bench_fit, "_fit", partial(fit, "fit"))
    monkeypatch.setattr(bench_fit, "_model_fit", partial(fit, "model.fit"))
    new = bench_fit._new(works(0.1)["mlp"], 1, 0.1)
    names = [bench_fit.AUTO, bench_fit.AGAIN, bench_fit.JIT, bench_fit.NO_JIT, *bench_fit.KERAS]
    assert [t.name for t in new.timings] == names
    assert new.title.endswith("1 epochs of a new model")
    assert not new.note
    by_default = models[0].jit_compile
    assert trained == [
        ("fit", "auto", 1, by_default),
        ("fit", "auto", 1, by_default),
        ("fit", True, 1, by_default),
        ("fit", False, 1, by_default),
        ("model.fit", None, 1, by_default),
        ("model.fit", None, 32, by_default),
        ("model.fit", None, 1, True),
    ]


def test_a_model_for_which_xla_is_no_choice(monkeypatch):
    """Which contenders take part, without their trainings."""
    monkeypatch.setattr(bench_fit, "_fit", lambda model, arguments: 0.5)
    monkeypatch.setattr(bench_fit, "_model_fit", lambda model, arguments: 0.5)
    warm, new = bench_fit.bench(repeats=1, names=["convnet"], scale=0.03)
    names = [t.name for t in (*warm.timings, *new.timings)]
    assert bench_fit.NO_JIT in names and not any("jit_compile=True" in name for name in names)


def test_trainings_that_do_not_agree_end_the_bench():
    with pytest.raises(RuntimeError, match=r"The trainings of digits.* don't agree: .*'b': 0\.2"):
        bench_fit._check_agreement(works(0.1)["digits"], {"a": 0.05, "b": 0.2})


def test_all_works_can_be_made():
    small = works(0.05)
    assert tuple(small) == WORKS
    for work in small.values():
        assert work.model().output_shape == (None, 10)
        assert work.epochs >= 1 and len(work.x) == len(work.y) > work.batch_size


def test_the_operations_of_an_mlp_are_those_of_its_products():
    weights = [784 * 256, 256 * 128, 128 * 10]
    forward_and_kernels = 2 * 2 * 20_000 * sum(weights)
    inputs = 2 * 20_000 * sum(weights[1:])
    by_name = works()
    assert products(by_name["mlp"]) == 20 * (forward_and_kernels + inputs)
    assert products(by_name["lstm"]) is None and products(by_name["convnet"]) is None


def test_the_rate_is_that_of_the_fastest_product(monkeypatch):
    """By a clock on which products take 4, 1 and 5 s."""
    times = iter([0.0, 4.0, 10.0, 11.0, 20.0, 25.0])
    monkeypatch.setattr(matrix_product.time, "perf_counter", lambda: next(times))
    assert matrix_product.product_rate(seconds=10.0) == 2 * 1024**3


def test_the_share_of_the_rate_is_that_of_the_best_round(monkeypatch):
    work = works(0.1)["mlp"]
    # A machine that computes the work's products in 3 s.
    monkeypatch.setattr(bench_fit, "product_rate", lambda: products(work) / 3.0)
    timing = Timing("ours", Spread((1.0, 1.0)), Spread((6.0, 4.0)), 1)
    note = bench_fit._with_rates(Comparison("title", "ours", (timing,)), work).note
    assert note.endswith("in the best round: ours 75%.")
