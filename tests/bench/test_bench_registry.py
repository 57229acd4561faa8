import pytest

from tfcourse.bench import BENCHES, DESCRIPTIONS, load_bench, options_of
from tfcourse.errors import InputError


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_loads_and_is_described(name):
    bench = load_bench(name)
    assert callable(bench)
    assert {*options_of(name)} <= {*bench.__annotations__}
    assert DESCRIPTIONS[name]
    assert "\n" not in DESCRIPTIONS[name]


def test_nothing_else_is_described():
    assert list(DESCRIPTIONS) == list(BENCHES)


def test_an_unknown_bench_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r'bench must be one of .*"toy".*\'toi\'.*mean "toy"'):
        load_bench("toi")
