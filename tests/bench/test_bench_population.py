import pytest

from tfcourse.bench import population
from tfcourse.bench.frame import Comparison, Spread, Timing


def test_the_matrix_is_the_one_that_was_asked_for():
    assert population.SIZES == (1, 8, 32, 128)


@pytest.fixture
def quick(monkeypatch):
    """Without XLA, on few full batches: what is timed is not what is tested."""
    digits = [part[: 3 * population.BATCH] for part in population.load_digits(return_X_y=True)]
    monkeypatch.setattr(population, "load_digits", lambda return_X_y: digits)
    monkeypatch.setattr(population, "TRAINED", 2 * population.BATCH)
    for name in ("fit", "fit_population"):
        run = getattr(population, name)
        monkeypatch.setattr(
            population, name, lambda *a, run=run, **k: run(*a, **k | {"jit_compile": False})
        )


def test_a_small_bench(quick):
    (compared,) = population.bench(repeats=1, sizes=(2,), units=(4,), epochs=2)
    assert compared.baseline == population.ALONE
    assert [t.name for t in compared.timings] == ["fit, XLA", "fit", "2 members, XLA"]
    assert "MLP 4-4 with batch norm" in compared.title


def test_a_member_that_is_not_the_model_alone_ends_the_bench(quick, monkeypatch):
    run = population.fit_population
    monkeypatch.setattr(
        population, "fit_population", lambda b, m, **k: run(b, m[::-1], **k | {"epochs": 1})
    )
    message = r"A member differs from the model trained alone: by up to .* in its "
    with pytest.raises(RuntimeError, match=message):
        population.bench(repeats=1, sizes=(2,), units=(4,), epochs=1)


def test_the_timings_are_of_one_epoch_of_one_model():
    alone = Timing("alone", Spread((1.0, 1.0)), Spread((8.0, 4.0)), 1)
    members = Timing("members", Spread((2.0, 3.0)), Spread((16.0, 12.0)), 1)
    compared = Comparison("title", "alone", (alone, members))
    scaled = population._per_epoch(compared, (2, 8))
    assert scaled["alone"].seconds.values == (4.0, 2.0)
    assert scaled["alone"].ratios.values == (1.0, 1.0)
    assert scaled["members"].seconds.values == (2.0, 1.5)
    assert scaled["members"].ratios.values == (0.5, 0.75)
