"""A search over images in folders has the numbers of one over the arrays in memory."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.search.conftest import RATE, load
from tfcourse import Search, retest
from tfcourse.errors import InputError
from tfcourse.search.data.checks import check_data


@pytest.fixture
def images(tmp_path):
    """60 images of three classes in folders, and the same as arrays."""
    rng = np.random.default_rng(0)
    y = np.arange(60) // 20
    x = np.clip(60 * y[:, None, None, None] + rng.normal(60, 40, (60, 4, 4, 1)), 0, 255)
    x = x.astype(np.uint8)
    for number, (pixels, label) in enumerate(zip(x, y, strict=True)):
        folder = tmp_path / "images" / "abc"[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:03d}.png").write_bytes(tf.io.encode_png(pixels).numpy())
    np.savez(tmp_path / "images.npz", x=x, y=y)
    return x, y


SGD = {"optimizer": "gradient_descent"}
IMAGES = {
    "source": "images",
    "path": "images",
    "image_size": [4, 4],
    "color_mode": "grayscale",
}


def search(tmp_path, name, data, **tables):
    raw = {
        "search": {"name": name, "trials": 2, **tables.pop("search", {})},
        "data": data,
        "model": {"builder": "linear"},
        "training": {"epochs": 2, "batch_size": 16, **SGD, **tables.pop("training", {})},
        "space": tables.pop("space", {**RATE, "batch_size": {"values": [8, 16]}}),
    }
    return Search(load(tmp_path, raw), tmp_path / "runs")


def histories(result):
    return [record.history for record in result.trials.values()]


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
def test_it_has_the_numbers_of_the_arrays_in_memory(tmp_path, images, loss):
    arrays = {"source": "npz", "path": "images.npz", "normalize": "standardize"}
    streamed = {**IMAGES, "normalize": "standardize"}
    training = {"loss": loss}
    one = search(tmp_path, "streamed", streamed, training=training).run(verbose=False)
    other = search(tmp_path, "arrays", arrays, training=training).run(verbose=False)
    for a, b in zip(histories(one), histories(other), strict=True):
        for metric in b:
            np.testing.assert_allclose(a[metric], b[metric], rtol=2e-5)
    assert one.summary.test == pytest.approx(other.summary.test, rel=2e-5)
    assert one.efforts["main"].reused == 1


def test_a_cache_changes_no_number(tmp_path, images):
    one = search(tmp_path, "files", IMAGES, space=RATE).run(verbose=False)
    found = search(tmp_path, "cached", {**IMAGES, "cache": True}, space=RATE)
    assert histories(found.run(verbose=False)) == histories(one)
    other = search(
        tmp_path, "cached", {**IMAGES, "cache": "disk"}, search={"trials": 3}, space=RATE
    )
    assert len(other.run(verbose=False).trials) == 3
    with pytest.raises(InputError, match=r'cache is for source "images" only. Received: "npz"'):
        search(tmp_path, "npz", {"source": "npz", "path": "images.npz", "cache": True})


def test_the_best_model_takes_pixels_in_plain_keras(tmp_path, images, untrained):
    found = search(tmp_path, "images", IMAGES)
    found.run(verbose=False)
    model = keras.models.load_model(found.directory / "best.keras")
    x, _ = images
    inner = model.layers[-1]
    np.testing.assert_allclose(
        model.predict(x, verbose=0), inner.predict(x / np.float32(255), verbose=0), rtol=1e-5
    )
    record = json.loads((found.directory / "data.json").read_text())
    assert record["train_classes"] == {"a": 12, "b": 12, "c": 12}
    assert record["classes"] == ["a", "b", "c"]
    assert record["test_x"] == {"shape": [12, 4, 4, 1], "dtype": "float32"}
    assert found.run(verbose=False).was_complete
    assert retest(found, verbose=False).same_data
    (tmp_path / "images" / "a" / "000.png").rename(tmp_path / "images" / "b" / "000.png")
    with pytest.raises(InputError, match="the data is another than when the search began"):
        search(tmp_path, "images", IMAGES, search={"trials": 3}).run(verbose=False)


def test_check_says_what_is_streamed(tmp_path, images):
    data, warnings = check_data(search(tmp_path, "images", IMAGES).config)
    assert warnings == ()
    assert data.lines() == [
        "streamed: images, 60 files, x float32",
        "classes: a 20, b 20, c 20 (3 classes)",
        "classes by set: train a 12, b 12, c 12; dev a 4, b 4, c 4; test a 4, b 4, c 4",
        "split: train 36, dev 12, test 12; an example has the shape (4, 4, 1)",
    ]


def test_a_function_may_return_the_folder(tmp_path, images, module, untrained):
    name = module(f"""
        from pathlib import Path

        def folder():
            return Path({str(tmp_path)!r}) / "images"

        def number():
            return 3
    """)
    found = search(tmp_path, "images", {**IMAGES, "path": f"{name}:folder"})
    result = found.run(verbose=False)
    assert f'path = "{name}:folder"' in (found.directory / "config.toml").read_text()
    again = search(tmp_path, "images", {**IMAGES, "path": f"{name}:folder"}).run(verbose=False)
    assert again.was_complete and len(again.trials) == len(result.trials)
    wrong = search(tmp_path, "wrong", {**IMAGES, "path": f"{name}:number"})
    with pytest.raises(InputError, match=r"path: .*:number must return a path.*Received: int"):
        wrong.run(verbose=False)
    with pytest.raises(InputError, match=r'path: the module .* has no function "nothing"'):
        search(tmp_path, "wrong", {**IMAGES, "path": f"{name}:nothing"})


def test_damaged_images_are_named_before_any_training(tmp_path, images):
    broken = search(tmp_path, "images", IMAGES)
    file = tmp_path / "images" / "b" / "021.png"
    file.write_bytes(file.read_bytes()[:-20])
    for begin in (lambda: check_data(broken.config), lambda: broken.run(verbose=False)):
        with pytest.raises(InputError, match=r"\[data\] path: 1 file .*b/021\.png"):
            begin()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"training": {"folds": 2}}, r"folds of streamed data .*folds = 2; leave it out"),
        ({"search": {"caviar": "population"}, "space": RATE}, "can't train a population"),
        ({"training": {"class_weight": "balanced"}}, "class_weight of streamed data"),
    ],
)
def test_what_needs_arrays_is_refused(tmp_path, images, tables, message):
    with pytest.raises(InputError, match=message):
        check_data(search(tmp_path, "images", IMAGES, **tables).config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": None}, r"\[data\] image_size is required by source \"images\""),
        ({"path": "nowhere"}, r"a folder of images for each class\. Received: .*nowhere"),
        ({"source": "npz", "path": "images.npz"}, r"image_size is for source \"images\" only"),
    ],
)
def test_errors_of_the_config(tmp_path, images, change, message):
    data = {key: value for key, value in {**IMAGES, **change}.items() if value is not None}
    with pytest.raises(InputError, match=message):
        search(tmp_path, "images", data)


def test_a_builders_own_fit_has_the_same_order_of_the_images(tmp_path, images, module):
    name = module("""
        import keras
        import keras_tuner

        def model(classes=3):
            return keras.Sequential(
                [keras.Input((4, 4, 1)), keras.layers.Flatten(),
                 keras.layers.Dense(classes, activation="softmax", kernel_initializer="ones")]
            )

        def linear(input_shape, classes):
            return model()

        class Own(keras_tuner.HyperModel):
            def build(self, hp):
                made = model()
                made.compile(
                    keras.optimizers.SGD(hp.Float("learning_rate", 0.01, 0.1, sampling="log")),
                    "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False,
                )
                return made

            def fit(self, hp, model, *args, **kwargs):
                return model.fit(*args, **kwargs)

        own = Own()
    """)
    runs = []
    for builder in ("linear", "own"):
        raw = {
            "search": {"name": builder, "trials": 1, "seed": 3},
            "data": IMAGES,
            "model": {"builder": f"{name}:{builder}"},
            "training": {"epochs": 2, "batch_size": 16},
        }
        raw["training"] |= {"optimizer": "keras:sgd"} if builder == "linear" else {}
        raw |= {"space": RATE if builder == "linear" else {}}
        runs.append(Search(load(tmp_path, raw), tmp_path / "runs").run(verbose=False))
    one, other = (result.trials[0] for result in runs)
    assert one.values == other.values
    for metric in one.history:
        np.testing.assert_allclose(one.history[metric], other.history[metric], rtol=2e-5)
