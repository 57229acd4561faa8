import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from tfcourse.bench import table
from tfcourse.bench.frame import Comparison, Spread, Timing
from tfcourse.bench.table import format_ratio, format_seconds, machine_line, render


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 µs"),
        (4.2e-8, "0.0420 µs"),
        (1.5e-6, "1.50 µs"),
        (1.6e-4, "160 µs"),
        (9.994e-4, "999 µs"),
        (9.996e-4, "1.00 ms"),
        (0.0761, "76.1 ms"),
        (0.99996, "1.00 s"),
        (1.0, "1.00 s"),
        (754.3, "754 s"),
    ],
)
def test_seconds_in_a_readable_unit(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.0, "1.00"),
        (0.0123, "0.0123"),
        (9.996, "10.0"),
        (12.34, "12.3"),
        (99.97, "100"),
        (6349.2, "6349"),
        (0.0, "0"),
        (float("inf"), "inf"),
    ],
)
def test_ratios_to_three_digits(ratio, text):
    assert format_ratio(ratio) == text


def rendered(comparison, width=120):
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        render(comparison, console)
    return capture.get()


def comparison():
    ours = Timing("ours", Spread((1.0, 1.0)), Spread((0.002, 0.004)), 10)
    other = Timing("other [a]", Spread((10.0, 20.0)), Spread((0.02, 0.08)), 1)
    return Comparison("the title [b]", "ours", (ours, other))


def test_the_table_holds_ratios_first_then_times():
    lines = rendered(comparison()).splitlines()
    assert lines[0].strip() == "the title [b]"
    cells = [[c.strip() for c in line.strip("┃│ ").replace("┃", "│").split("│")] for line in lines]
    assert ["contender", "× baseline [min–max]", "median", "min", "max"] in cells
    assert ["ours", "1.00 [1.00–1.00]", "3.00 ms", "2.00 ms", "4.00 ms"] in cells
    assert ["other [a]", "15.0 [10.0–20.0]", "50.0 ms", "20.0 ms", "80.0 ms"] in cells
    assert lines[-2].strip() == "baseline: ours"
    assert "Python" in lines[-1]


def test_a_narrow_terminal_keeps_the_figures():
    text = rendered(comparison(), width=72)
    assert "15.0 [10.0–20.0]" in text
    assert "80.0 ms" in text


def test_the_machine_line_names_processors_and_versions(monkeypatch):
    monkeypatch.setattr(table.os, "cpu_count", lambda: 6)
    monkeypatch.setattr(table, "version", lambda name: {"tensorflow": "9.8.7"}[name])
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    line = machine_line()
    assert line.startswith("6 CPUs (")
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in line
    assert line.endswith(", TensorFlow 9.8.7")


def test_the_machine_line_names_the_gpus_that_a_bench_could_use(monkeypatch):
    details = SimpleNamespace(get_device_details=lambda gpu: {"device_name": f"Fast {gpu}"})
    config = SimpleNamespace(list_physical_devices=lambda kind: [kind], experimental=details)
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=config))
    assert ", Fast GPU, Python" in machine_line()
