"""Searches on tables of texts, numbers, dates and missing values."""

import json
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_wine
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import tfcourse
from tfcourse import InputError
from tfcourse.data.scaling import fit_scaling
from tfcourse.data.tables.columns import Column, Columns
from tfcourse.data.tables.encoding import fit_encoding
from tfcourse.search.best.exports import export_model
from tfcourse.search.best.script import training_script
from tfcourse.search.best.trial import read_trial
from tfcourse.search.config.load import load_config
from tfcourse.search.data.folds import fold_split
from tfcourse.search.data.loading import load_split
from tfcourse.search.store.data_record import data_record
from tfcourse.search.trials.normalized import normalize, with_scaling
from tfcourse.search.trials.table_inputs import with_table_inputs

PLACES = np.array(["Jura", "Loire", "Rhône"])


@pytest.fixture(scope="module")
def wine():
    """scikit-learn's wine with a place, a flag, a day, missing values and classes with names."""
    x, y = load_wine(return_X_y=True)
    random = np.random.default_rng(0)
    frame = pd.DataFrame(x[:, :4], columns=["alcohol", "acid, malic", "ash", "alcalinity"])
    frame["place"] = PLACES[np.where(random.random(len(y)) < 0.7, y, random.integers(0, 3, len(y)))]
    frame["organic"] = random.random(len(y)) < 0.5
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 99, len(y)), "D")
    frame["kind"] = np.array(["Barolo", "Grignolino", "Barbera"])[y]
    frame.loc[random.random(len(y)) < 0.1, "alcohol"] = np.nan
    frame.loc[random.random(len(y)) < 0.1, "place"] = None
    return frame


BUILDER = """
import keras


def build(shape, classes, levels):
    inputs = {name: keras.Input(of_one, name=name) for name, of_one in shape.items()}
    town = keras.layers.Embedding(levels["town"], 4)(inputs["town"])
    both = keras.layers.Concatenate()([inputs["features"], keras.layers.Flatten()(town)])
    return keras.Model(inputs, keras.layers.Dense(classes, "softmax")(both))
"""
DATA = 'source = "csv"\npath = "wine.csv"\nmissing = "mean"\nnormalize = "standardize"\n'
DAY = '[data.columns.day]\ntype = "date"\n'


@pytest.fixture
def config(tmp_path, wine):
    """Writes the file and the config of a search."""

    def write(data=DATA + DAY, training="", builder="linear", frame=wine, search="", model=""):
        frame.to_csv(tmp_path / "wine.csv", sep=";", decimal=",", index=False)
        path = tmp_path / "search.toml"
        path.write_text(
            f'[search]\nname = "wine"\ntrials = 2\n{search}[data]\n{data}[model]\n'
            f'builder = "{builder}"\n{model}[training]\nepochs = 3\nbatch_size = 16\n{training}'
            "[space.learning_rate]\nlow = 0.01\nhigh = 0.1\n"
        )
        return path

    return write


def raw_columns(frame):
    """The columns of x as the best model takes them, made by pandas."""
    x = frame.drop(columns="kind")
    x["day"] = (x["day"] - pd.Timestamp("1970-01-01")).dt.days
    x["organic"] = x["organic"].astype(float)
    x["place"] = x["place"].fillna("")
    return {
        name: values.to_numpy(object if name == "place" else "float32")
        for name, values in x.items()
    }


def encoded_by_sklearn(train, other):
    """The columns of x as scikit-learn encodes them, fitted on a train set."""
    numbers = ["alcohol", "acid, malic", "ash", "alcalinity", "day"]
    frames = [frame.assign(day=raw_columns(frame)["day"]) for frame in (train, other)]
    imputer, scaler = SimpleImputer(), StandardScaler()
    scaler.fit(imputer.fit_transform(frames[0][numbers].to_numpy()))
    scaled = scaler.transform(imputer.transform(frames[1][numbers].to_numpy()))
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encoder.fit(train[["place"]].dropna().to_numpy(str))
    levels = encoder.transform(other[["place"]].fillna("").to_numpy(str))
    flag = other[["organic"]].to_numpy(float)
    # The numbers of the columns in their order: organic comes before day.
    return np.column_stack([scaled[:, :4], flag, scaled[:, 4:], levels])


def rows_of(split, part, frame):
    """The rows of a frame that are a set's, found by their ash and alcalinity."""
    raw = split.columns.raw(part.x)
    keys = {(np.float32(a), np.float32(b)): n for n, (a, b) in enumerate(keys_of(frame))}
    places = [keys[pair] for pair in zip(raw["acid, malic"], raw["alcalinity"], strict=True)]
    return frame.iloc[places]


def keys_of(frame):
    return frame[["acid, malic", "alcalinity"]].itertuples(index=False)


class TestEncoding:
    def test_as_scikit_learn(self, config, wine):
        wine = wine.drop_duplicates(["acid, malic", "alcalinity"])
        split = load_split(load_config(config(frame=wine)))
        encoded, _ = normalize(split, "standardize")
        train = rows_of(split, split.train, wine)
        for name, part in split.parts.items():
            expected = encoded_by_sklearn(train, rows_of(split, part, wine))
            np.testing.assert_allclose(encoded.parts[name].x, expected, atol=2e-5)
        assert encoded.shape == split.shape == (9,)
        assert split.class_names == ("Barbera", "Barolo", "Grignolino")

    def test_a_level_that_a_train_set_lacks(self, config, wine):
        """It is unknown in this fold, and the models of all folds have one shape."""
        rare = wine.drop_duplicates(["acid, malic", "alcalinity"]).reset_index(drop=True)
        split = load_split(load_config(config(frame=rare)))
        rare.loc[rows_of(split, split.dev, rare).index[0], "place"] = "Alsace"
        read = load_config(config(frame=rare, training="folds = 3\n"))
        split = load_split(read)
        levels = {}
        for fold in range(3):
            encoded, encoding = normalize(fold_split(split, read, fold), "none")
            assert encoded.train.x.shape[1] == encoded.dev.x.shape[1] == 6 + 4
            levels[fold] = len(encoding.levels["place"])
            if levels[fold] == 3:
                place = split.columns.features[4].levels.index("Alsace")
                rows = fold_split(split, read, fold).dev.x[:, 4] == place
                assert (encoded.dev.x[rows, 6:] == 0).all()
        assert sorted(levels.values()) == [3, 4, 4]

    def test_a_column_without_values_in_the_train_set(self):
        columns = Columns((Column("a", "number"),), "y", "mean")
        with pytest.raises(InputError, match='column "a" has no value in the train set of 2 rows'):
            fit_encoding(columns, np.full((2, 1), np.nan, np.float32), "none")

    @settings(deadline=None, max_examples=10)
    @given(
        seed=st.integers(0, 2**32 - 1),
        missing=st.sampled_from(["error", "drop", "mean", "median"]),
        method=st.sampled_from(["none", "standardize", "min_max"]),
        wide=st.booleans(),
    )
    def test_the_layers_are_the_encoding(self, seed, missing, method, wide):
        """Keras's layers give what the training had, for unknown and missing values too."""
        random = np.random.default_rng(seed)
        features = (
            Column("a", "number"),
            Column("b/c, in €", "boolean"),
            Column("long", "category", tuple(f"level {n}" for n in range(9)), "index"),
            Column("d", "date"),
            Column("short", "category", ("u", "v", "ü"), "one_hot"),
        )
        columns = Columns(features, "y", missing)
        dtype = np.float64 if wide else np.float32
        matrix = np.column_stack(
            [
                random.normal(size=40) * 10,
                random.integers(0, 2, 40),
                random.integers(-1, 9, 40),
                random.integers(19000, 20000, 40) + 0.5,
                random.integers(-1, 3, 40),
            ]
        ).astype(dtype)
        matrix[random.integers(0, 40, 4), 0] = np.nan
        train = matrix[: random.integers(10, 40)]
        encoding = fit_encoding(columns.sized(train), train, method)
        shape = encoding.columns.shape
        inputs = {name: keras.Input(of_one, name=name) for name, of_one in shape.items()}
        named = {name: keras.layers.Identity()(value) for name, value in inputs.items()}
        whole = with_table_inputs(keras.Model(inputs, named, name="m"), encoding)
        raw = {name.replace("/", "_"): values for name, values in columns.raw(matrix).items()}
        predicted = whole({n: keras.ops.convert_to_tensor(v[:, None]) for n, v in raw.items()})
        for name, expected in encoding.apply(matrix).items():
            np.testing.assert_allclose(predicted[name], expected, rtol=1e-5, atol=1e-5)


class TestSearch:
    def test_the_best_model_takes_the_columns(self, config, wine, tmp_path):
        result = tfcourse.Search.from_toml(config(), out=tmp_path).run(verbose=False)
        file = tmp_path / "wine" / "best.keras"
        model = keras.models.load_model(file)
        test = load_split(load_config(tmp_path / "search.toml")).raw_test
        x = {
            name: values.astype("float32") if values.dtype != object else values
            for name, values in test.x.items()
        }
        _, accuracy = model.evaluate(_batches(x, test.y), verbose=0)
        assert accuracy == pytest.approx(result.summary.test["accuracy"])
        with zipfile.ZipFile(file) as archive:
            assert json.loads(archive.read("classes.json")) == ["Barbera", "Barolo", "Grignolino"]
            assert "tfcourse" not in archive.read("config.json").decode()
        record = json.loads((tmp_path / "wine" / "data.json").read_text())
        assert record["classes"] == ["Barbera", "Barolo", "Grignolino"]
        loaded = tfcourse.load_run(tmp_path / "wine")
        x = raw_columns(wine)
        assert set(loaded.predict_classes(x)) <= {"Barbera", "Barolo", "Grignolino"}
        everywhere = loaded.evaluate(x, wine["kind"])["accuracy"]
        assert everywhere == pytest.approx((loaded.predict_classes(x) == wine["kind"]).mean())

    def test_many_levels_are_an_index_for_an_embedding(self, config, tmp_path, monkeypatch):
        """The builder is told how many; the program of the best trial trains it again."""
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "towns.py").write_text(BUILDER)
        random = np.random.default_rng(0)
        town = random.integers(0, 200, 1200)
        frame = pd.DataFrame({"size": random.random(1200), "town": [f"town {n}" for n in town]})
        frame["kind"] = np.where(town % 2 == 0, "even", "odd")
        data = 'source = "csv"\npath = "wine.csv"\n'
        path = config(data, "epochs = 12\n", "towns:build", frame, "trials = 1\n")
        text = path.read_text().replace("epochs = 3\n", "").replace("trials = 2\n", "")
        path.write_text(text)
        result = tfcourse.Search.from_toml(path, out=tmp_path).run(verbose=False)
        assert result.summary.test["accuracy"] > 0.9
        model = tfcourse.load_run(tmp_path / "wine")
        x = {"size": np.float32([0.5, 0.5]), "town": np.array(["town 4", "nowhere"], object)}
        assert model.predict(x).shape == (2, 2)
        assert model.predict_classes(x)[0] == "even"
        with pytest.raises(InputError, match="takes the columns of a table, texts and numbers"):
            export_model(read_trial(tmp_path / "wine"), [])

    @pytest.mark.parametrize("compiles", [True, False])
    def test_lookups_of_text_are_not_for_xla(self, compiles, config):
        """Which compiles the model alone, as by default on a GPU: with them Keras would warn."""
        split = load_split(load_config(config()))
        encoded, encoding = normalize(split, "standardize")
        layers = [keras.Input(encoded.shape), keras.layers.Dense(3, "softmax")]
        model = keras.Sequential(layers)
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=compiles)
        whole = with_scaling(model, encoding, split.shape)
        assert (model.jit_compile, whole.jit_compile) == (compiles, False)
        x = encoded.train.x[:4]
        scaled = with_scaling(model, fit_scaling(x, "standardize"), encoded.shape)
        assert scaled.jit_compile is compiles

    def test_many_levels_are_embedded_by_the_mlp(self, config, tmp_path):
        """Also with a blank and a slash in the names of columns, which Keras has not."""
        random = np.random.default_rng(0)
        town, road = random.integers(0, 40, 600), random.integers(0, 50, 600)
        frame = pd.DataFrame({"town/city": town, "the size": random.random(600), "road": road})
        frame[["town/city", "road"]] = "at " + frame[["town/city", "road"]].astype(str)
        frame["kind"] = np.where(town % 2 == 0, "even", "odd")
        small = "layers = 1\nunits = 16\n"
        path = config(
            'source = "csv"\npath = "wine.csv"\n',
            "jit_compile = false\n",
            "mlp",
            frame,
            model=small,
        )
        text = path.read_text().replace("epochs = 3", "epochs = 12")
        path.write_text(text.replace("trials = 2", "trials = 1"))
        result = tfcourse.Search.from_toml(path, out=tmp_path).run(verbose=False)
        assert result.summary.test["accuracy"] > 0.9
        model = keras.models.load_model(tmp_path / "wine" / "best.keras")
        inner = model.layers[-1]
        widths = {layer.input_dim: layer.output_dim for layer in _embeddings(inner)}
        assert widths == {41: 20, 51: 25}
        loaded = tfcourse.load_run(tmp_path / "wine")
        assert (loaded.predict_classes(frame) == frame["kind"]).mean() > 0.9
        unknown = frame[:1].assign(road="nowhere")
        assert loaded.predict(unknown).shape == (1, 2)
        search = load_config(tmp_path / "wine" / "config.toml")
        names = {}
        exec(training_script(search, tmp_path / "wine", result.best), names)
        assert names["scores"] == pytest.approx([result.best.score])

    def test_numbers_alone_are_searched_as_arrays(self, config, wine, tmp_path):
        """Their hash is that of the arrays, by which directories of earlier versions resume."""
        numbers = wine[["ash", "acid, malic", "alcalinity"]].assign(y=np.arange(len(wine)) % 3)
        path = config('source = "csv"\npath = "wine.csv"\n', frame=numbers)
        split = load_split(load_config(path))
        x = numbers.to_numpy()[:, :3].astype(np.float32)
        np.savez(tmp_path / "data.npz", x=x, y=numbers["y"])
        arrays = load_split(load_config(config('source = "npz"\npath = "data.npz"\n')))
        assert data_record(split)["sha256"] == data_record(arrays)["sha256"]

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (DATA, 'the column "day" holds dates, of the type date32[day]. Leave it out'),
            (DATA + 'drop = ["da"]\n', "drop: the columns of"),
            (DATA + 'missing_value = ["?"]\n', 'Did you mean "missing_values"?'),
            (
                DATA + '[data.columns.day]\ntype = "time"\n',
                '[data.columns] day must be one of "number", "category"',
            ),
            ('source = "digits"\ndrop = ["a"]\n', '[data] drop is for source "csv", "parquet",'),
            (DATA + 'features = ["ash"]\ndrop = ["ash"]\n', 'features and drop both name "ash"'),
            (DATA + 'decimal = ";"\n', "[data] decimal"),
        ],
    )
    def test_what_is_refused(self, config, data, said):
        with pytest.raises(InputError) as caught:
            load_split(load_config(config(data)))
        assert said in str(caught.value)

    def test_an_index_is_refused_by_a_builder_of_images(self, config):
        data = DATA + 'drop = ["day"]\nmax_one_hot = 2\n'
        with pytest.raises(InputError, match="Give max_one_hot = 3, leave the column") as caught:
            load_split(load_config(config(data, builder="convnet")))
        assert str(caught.value).endswith('or use "mlp", "linear" or a builder of your own.')


def _batches(x, y):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).batch(len(y))


def _embeddings(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
