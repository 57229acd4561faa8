"""Configs that were changed in any way are read, or refused in some lines; none is a traceback."""

import random
import tomllib
from pathlib import Path

import hypothesis
import pytest
import tomli_w
from hypothesis import strategies as st

import tfcourse
from tests.fuzz.mutations import changed, places
from tfcourse import InputError
from tfcourse.search.config.advice import advice
from tfcourse.search.config.budget import hints
from tfcourse.search.config.load import load_config
from tfcourse.search.config.tables import DataTable, SearchTable, TrainingTable

FOLDER = Path(tfcourse.__file__).parents[1] / "tuner_configs"
CONFIGS = [
    tomllib.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.toml"))
    # These build models, which takes their time.
    if path.stem not in ("two_outputs", "time_series", "images")
]
KEYS = sorted(
    {key for tables in CONFIGS for _, key in places(tables) if isinstance(key, str)}
    | {key for table in (DataTable, SearchTable, TrainingTable) for key in table.model_fields}
)
EXAMPLES = hypothesis.settings().max_examples


@hypothesis.settings(max_examples=5 * EXAMPLES)
@hypothesis.given(seed=st.integers(0, 2**32))
def test_a_config_is_read_or_refused(seed, tmp_path_factory):
    generator = random.Random(seed)
    tables = changed(generator, generator.choice(CONFIGS), KEYS, CONFIGS)
    path = tmp_path_factory.getbasetemp() / "changed.toml"
    try:
        content = tomli_w.dumps(tables).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError, RecursionError):  # what no TOML file can have
        return
    if generator.random() < 0.1:
        place = generator.randrange(len(content))
        content = content[:place] + generator.randbytes(generator.choice([0, 1, 9]))
    path.write_bytes(content)
    try:
        config = load_config(path)
    except InputError as error:
        lines = str(error).splitlines()
        assert 0 < len(lines) <= 21 and max(map(len, lines)) < 2500
    else:
        advice(config), hints(config)
        text = config.as_toml()
        path.write_text(text, encoding="utf-8")
        assert load_config(path).as_toml() == text


@pytest.mark.parametrize("tables", CONFIGS, ids=lambda tables: next(iter(tables.values()))["name"])
def test_the_configs_themselves_are_read(tables, tmp_path):
    """A positive control: what is changed above is right before."""
    if "babysit" not in tables and "path" not in tables.get("data", {}):
        (tmp_path / "whole.toml").write_text(tomli_w.dumps(tables), encoding="utf-8")
        load_config(tmp_path / "whole.toml")
