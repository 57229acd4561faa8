"""Images in folders, read as Keras reads them."""

from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse.data.scaling import fit_scaling
from tfcourse.data.streams import image_cache
from tfcourse.data.streams.image_files import check_readable, image_files
from tfcourse.data.streams.moments import stream_scaling
from tfcourse.data.streams.set_folders import sets_of_folder
from tfcourse.errors import InputError


def png(pixels):
    return tf.io.encode_png(pixels.astype(np.uint8)).numpy()


def write(folder, counts, size=(5, 6), channels=3):
    """Write noise: so many images in each class's folder, in formats that take turns."""
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name / "inner").mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (*size, channels))
            place = folder / name / ("inner" if number == 2 else ".")
            if number % 2:
                (place / f"{number}.JPG").write_bytes(tf.io.encode_jpeg(pixels).numpy())
            else:
                (place / f"{number}.png").write_bytes(png(pixels))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "images", {"a": 5, "b": 4})


def arrays_of(batches):
    x, y = zip(*batches.dataset.as_numpy_iterator(), strict=True)
    return np.concatenate(x), np.concatenate(y)


@pytest.mark.parametrize(("mode", "channels"), [("grayscale", 1), ("rgb", 3)])
@pytest.mark.parametrize("size", [(5, 6), (3, 9)])
def test_the_batches_are_those_of_keras(folder, mode, channels, size):
    reference = keras.utils.image_dataset_from_directory(
        folder, image_size=size, color_mode=mode, batch_size=4, shuffle=False, verbose=False
    )
    batches = image_files(folder, size, channels).stream().of_size(4)
    pairs = zip(batches.dataset, reference, strict=True)
    for (x, y), (x_keras, y_keras) in pairs:
        np.testing.assert_array_equal(x, x_keras)
        np.testing.assert_array_equal(y, y_keras)


def test_an_epoch_has_a_permutation_of_the_files_by_seed_and_epoch(folder):
    images = image_files(folder, (5, 6), 3)
    batches = images.stream().of_size(4)
    x, y = arrays_of(batches)
    for seed, epoch in [(0, 0), (0, 1), (7, 1), (0, 0)]:
        batches.begin(seed, epoch)
        order = np.random.default_rng([seed, epoch]).permutation(9)
        shuffled = arrays_of(batches)
        np.testing.assert_array_equal(shuffled[0], x[order])
        np.testing.assert_array_equal(shuffled[1], y[order])


@pytest.mark.parametrize("how", ["standardize", "min_max", "rescale"])
def test_the_scaling_is_that_of_all_images_at_once(folder, how):
    stream = image_files(folder, (5, 6), 3).stream()
    scaling, reference = (
        stream_scaling(stream, how),
        fit_scaling(arrays_of(stream.of_size(9))[0], how),
    )
    np.testing.assert_allclose(scaling.shift, reference.shift, rtol=1e-6)
    np.testing.assert_allclose(scaling.scale, reference.scale, rtol=1e-6)


def test_the_first_examples_are_in_memory(folder):
    stream = image_files(folder, (5, 6), 3).stream()
    x, y = arrays_of(stream.of_size(9))
    part = stream.rows(slice(7))
    np.testing.assert_array_equal(part.x, x[:7])
    np.testing.assert_array_equal(part.y, y[:7])
    assert stream.rows(slice(100)).count == stream.count == 9
    with pytest.raises(InputError, match="streamed and not in memory"):
        stream.rows(slice(1, 3))
    with pytest.raises(InputError, match="streamed and not in memory"):
        _ = stream.x


def test_an_empty_class_folder_is_refused(folder):
    (folder / "c").mkdir()
    (folder / "c" / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"class folder .*/c holds no image .*take it out"):
        image_files(folder, (5, 6), 3)


def test_damaged_files_are_named(folder):
    (folder / "a" / "text.png").write_text("no image")
    with pytest.raises(InputError, match=r"1 file can't be read as PNG.*: .*a/text\.png\. Replace"):
        image_files(folder, (5, 6), 3)
    whole = png(np.random.default_rng(0).integers(0, 256, (9, 9, 3)))
    (folder / "a" / "text.png").write_bytes(whole[:-60])
    (folder / "b" / "short.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    images = image_files(folder, (5, 6), 3)
    with pytest.raises(InputError, match=r"2 files can't .*a/text\.png, .*b/short\.jpg\."):
        check_readable(images)


def test_the_identity_is_names_sizes_and_first_bytes(folder):
    def digest():
        return image_files(folder, (5, 6), 3).digest()

    first, file = digest(), folder / "a" / "0.png"
    assert digest() == first
    contents = file.read_bytes()
    file.write_bytes(contents[:-5] + bytes([contents[-5] ^ 1]) + contents[-4:])
    assert digest() != first
    file.write_bytes(contents)
    assert digest() == first
    file.rename(folder / "b" / "0b.png")
    assert digest() != first
    assert image_files(folder, (5, 7), 3).digest() != first


def test_the_folders_of_sets(tmp_path):
    for name in ("train", "test"):
        write(tmp_path / name, {"a": 2, "b": 2})
    with pytest.raises(InputError, match=r"dev \(or val, valid, validation\).*: test, train"):
        sets_of_folder(tmp_path)
    for name in ("dev", "val", "valid", "validation"):
        (tmp_path / name).mkdir()
        sets = sets_of_folder(tmp_path)
        assert {name: path.name for name, path in sets.items()} == {
            "train": "train",
            "dev": name,
            "test": "test",
        }
        (tmp_path / name).rmdir()
    write(tmp_path / "valid", {"a": 1})
    write(tmp_path / "dev", {"a": 1})
    with pytest.raises(InputError, match="one folder for each set"):
        sets_of_folder(tmp_path)
    (tmp_path / "roses").mkdir()
    with pytest.raises(InputError, match="others beside them: roses"):
        sets_of_folder(tmp_path)


def test_a_set_may_lack_a_class_and_have_no_other(tmp_path):
    train = image_files(write(tmp_path / "train", {"a": 2, "b": 2, "c": 1}), (5, 6), 3)
    dev = image_files(write(tmp_path / "dev", {"a": 1, "c": 1}), (5, 6), 3, train.classes)
    assert dev.labels.tolist() == [0, 2]
    write(tmp_path / "test", {"d": 1})
    with pytest.raises(InputError, match="a class that the train set lacks: d"):
        image_files(tmp_path / "test", (5, 6), 3, train.classes)


def test_a_single_class_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"at least 2 folders, one for each class.*Received: a"):
        image_files(write(tmp_path, {"a": 2}), (5, 6), 3)


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_cached_images_are_those_of_the_files(folder, place):
    plain, cached = (image_files(folder, (3, 9), 3).stream(cache) for cache in (None, place))
    pairs = [(plain.of_size(size), cached.of_size(size)) for size in (4, 2)]
    expected = {}
    for size, (of_files, _) in enumerate(pairs):
        for epoch in range(2):
            of_files.begin(7, epoch)
            expected[size, epoch] = arrays_of(of_files)
    for file in folder.rglob("*.*"):
        file.unlink()
    for (size, epoch), (x, y) in expected.items():
        batches = pairs[size][1]
        batches.begin(7, epoch)
        x_cached, y_cached = arrays_of(batches)
        np.testing.assert_array_equal(x_cached, x)
        np.testing.assert_array_equal(y_cached, y)
    assert cached.batches(4) == len(list(pairs[0][1].dataset)) == len(pairs[0][1].dataset)
    assert (cached.digest, cached.record) == (plain.digest, plain.record)


def test_a_cache_without_room(folder, monkeypatch):
    full = partial(Path("/dev/full").open, "wb")
    monkeypatch.setattr(image_cache.tempfile, "TemporaryFile", full)
    with pytest.raises(InputError, match=r"cache: 0\.0 GB for 9 images are not free in .*space"):
        image_files(folder, (3, 9), 3).stream("disk").of_size(4)
