"""A search over TFRecord files."""

from itertools import chain

import numpy as np
import pytest
import tensorflow as tf

from tests.search.conftest import RATE, load
from tfcourse import Search
from tfcourse.data.streams.record_files import record_sets
from tfcourse.errors import InputError
from tfcourse.search.data.loading import load_split

RNG = np.random.default_rng(0)
Y = RNG.permutation(np.arange(64) % 3)
X = (RNG.normal(size=(64, 4)) + 3 * Y[:, None]).astype(np.float32)
IMAGES = RNG.integers(0, 256, (64, 2, 3, 1), np.uint8)


def example(row):
    def of(**values):
        return tf.train.Feature(**values)

    features = {
        "x": of(float_list=tf.train.FloatList(value=X[row])),
        "raw": of(bytes_list=tf.train.BytesList(value=[IMAGES[row].tobytes()])),
        "png": of(bytes_list=tf.train.BytesList(value=[tf.io.encode_png(IMAGES[row]).numpy()])),
        "label": of(int64_list=tf.train.Int64List(value=[Y[row]])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in rows:
            writer.write(example(row))


@pytest.fixture
def records(tmp_path):
    """Eight files of eight examples."""
    for number in range(8):
        write(tmp_path / "records" / f"{number}.tfrecord", range(8 * number, 8 * number + 8))
    return tmp_path / "records"


FEATURES = {"x": {"shape": [4]}, "label": {"type": "int64"}}


def search(tmp_path, name="records", **data):
    data = {"path": "records", "feature_spec": FEATURES, "split": [0.5, 0.25, 0.25], **data}
    raw = {
        "search": {"name": name, "trials": 2},
        "data": {"source": "tfrecord", **{k: v for k, v in data.items() if v is not None}},
        "model": {"builder": "linear"},
        "training": {"epochs": 2, "batch_size": 8, "optimizer": "gradient_descent"},
        "space": RATE,
    }
    return Search(load(tmp_path, raw), tmp_path / "runs")


def rows_of(part):
    """The rows of X that a set holds."""
    x = part.rows(slice(part.count)).x
    return [int(np.flatnonzero((row == X).all(axis=1)).item()) for row in x]


def test_the_files_are_split_and_every_example_is_in_one_set(tmp_path, records):
    split = load_split(search(tmp_path).config)
    counts = {name: part.count for name, part in split.parts.items()}
    assert counts == {"train": 32, "dev": 16, "test": 16}
    sets = {name: rows_of(part) for name, part in split.parts.items()}
    assert sorted(chain(*sets.values())) == list(range(64))
    for part in sets.values():
        assert len({row // 8 for row in part}) == len(part) / 8, "whole files"
    again = load_split(search(tmp_path, path="records/*.tfrecord").config)
    assert {name: rows_of(part) for name, part in again.parts.items()} == sets
    assert split.parts["train"].digest == again.parts["train"].digest
    (records / "0.tfrecord").write_bytes((records / "1.tfrecord").read_bytes())
    other = load_split(search(tmp_path).config)
    digests = [(split.parts[n].digest, other.parts[n].digest) for n in counts]
    assert sum(a != b for a, b in digests) == 1


def test_an_epoch_has_all_examples_in_an_order_of_seed_and_epoch(tmp_path, records):
    train = load_split(search(tmp_path).config).train
    batches = train.of_size(8)

    def order():
        x = np.concatenate([x for x, _ in batches.dataset.as_numpy_iterator()])
        return [int(np.flatnonzero((row == X).all(axis=1)).item()) for row in x]

    natural, orders = order(), {}
    for key in [(0, 0), (0, 1), (1, 0), (0, 0)]:
        batches.begin(*key)
        drawn = order()
        assert sorted(drawn) == sorted(natural) and drawn != natural
        assert orders.setdefault(key, drawn) == drawn
    assert len({tuple(drawn) for drawn in orders.values()}) == 3


@pytest.mark.parametrize("feature", ["raw", "png"])
def test_images_as_bytes(tmp_path, records, feature):
    kind = "uint8" if feature == "raw" else "image"
    features = {feature: {"shape": [2, 3, 1], "type": kind}, "label": {"type": "int64"}}
    split = load_split(search(tmp_path, feature_spec=features).config)
    part = split.dev.rows(slice(100))
    assert split.shape == (2, 3, 1) and split.classes == 3
    assert {x.tobytes() for x in part.x} <= {image.tobytes() for image in IMAGES}


def test_a_search_from_folders_of_sets_with_a_parse_function(tmp_path, module):
    for name, rows in {"train": range(40), "val": range(40, 52), "test": range(52, 64)}.items():
        write(tmp_path / "records" / name / "all.tfrecord", rows)
    name = module("""
        import tensorflow as tf

        def parse(record):
            spec = {"x": tf.io.FixedLenFeature([4], tf.float32)}
            spec["label"] = tf.io.FixedLenFeature([], tf.int64)
            values = tf.io.parse_single_example(record, spec)
            return values["x"], values["label"]
    """)
    settings = {"feature_spec": None, "parse": f"{name}:parse", "normalize": "standardize"}
    result = search(tmp_path, **settings).run(verbose=False)
    one = search(tmp_path, "features", normalize="standardize").run(verbose=False)
    assert [r.history for r in result.trials.values()] == [r.history for r in one.trials.values()]
    model = one.best_model()
    test = model.evaluate(X[52:], Y[52:], verbose=0, return_dict=True)
    assert one.summary.test == pytest.approx(test, rel=1e-4)


def test_a_damaged_file_is_named(tmp_path, records):
    file = records / "3.tfrecord"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"not whole TFRecord files: .*records/3\.tfrecord \("):
        load_split(search(tmp_path).config)


def test_a_record_that_lacks_a_feature_is_an_error(tmp_path, records):
    features = {**FEATURES, "y": {}}
    with pytest.raises(InputError, match=r"a record can't be parsed: .*y"):
        load_split(search(tmp_path, feature_spec=features).config)


def test_fewer_files_than_sets(tmp_path):
    write(tmp_path / "records" / "all.tfrecord", range(9))
    with pytest.raises(InputError, match="of 1 TFRecord files leaves a set without one"):
        record_sets(str(tmp_path / "records"), (0.6, 0.2, 0.2), 0)
    with pytest.raises(InputError, match=r"path: no file \.tfrecord, .* in .*/runs"):
        (tmp_path / "runs").mkdir()
        record_sets(str(tmp_path / "runs"), (0.5, 0.5), 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"feature_spec": None}, r"needs either the tables \[data\.feature_spec\.NAME\] or parse"),
        ({"label": "class"}, r'label: the feature that is y must be one of "x", "label"'),
        ({"feature_spec": None, "parse": "json:nothing"}, r"\[data\] parse"),
        ({"path": None}, r'source "tfrecord" needs the key path'),
        ({"source": "digits"}, r'feature_spec is for source "tfrecord" only'),
    ],
)
def test_errors_of_the_config(tmp_path, data, message):
    with pytest.raises(InputError, match=message):
        search(tmp_path, **data)
