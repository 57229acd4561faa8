"""What `fit` says of data that doesn't suit a model, and that it takes all that Keras takes."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse import InputError, SoftmaxHead, evaluate, fit
from tfcourse.training.data.checks import check_finite

layers = keras.layers
losses = keras.losses
ROWS, CLASSES = 20, 3
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, 4)).astype("float32")
Y = rng.integers(0, CLASSES, ROWS)
IDS = np.arange(4 * ROWS).reshape(ROWS, 4) % 10
ONE_HOT = np.eye(CLASSES, dtype="float32")[Y]
DATASET = tf.data.Dataset.from_tensor_slices


def compiled(model, loss="sparse_categorical_crossentropy"):
    model.compile("sgd", loss)
    return model


def classifier(shape=(4,), classes=CLASSES, loss="sparse_categorical_crossentropy", **kwargs):
    body = [layers.Flatten(), layers.Dense(classes, activation="softmax")]
    return compiled(keras.Sequential([keras.Input(shape, **kwargs), *body]), loss)


def binary():
    return classifier(classes=2, loss="binary_crossentropy")


def regression(loss="mse"):
    return compiled(keras.Sequential([keras.Input((4,)), layers.Dense(1)]), loss)


def embedding():
    body = [layers.Embedding(10, 2), layers.GlobalAveragePooling1D(), SoftmaxHead(CLASSES)]
    return compiled(keras.Sequential([keras.Input((4,)), *body]))


def moved_ids():
    a, b = keras.Input((1,), dtype="int32"), keras.Input((4,))
    inner = keras.Sequential([layers.Reshape((2, 1)), layers.Embedding(10, 2), layers.Flatten()])
    ids = inner(layers.Concatenate()([a, b[:, 1:2]]))
    return compiled(keras.Model([a, b], SoftmaxHead(CLASSES)(ids)))


def convolutional():
    return compiled(keras.Sequential([keras.Input((8, 6, 3)), layers.Conv2D(2, 3)]), "mse")


def two_inputs(kind=dict):
    a, b = keras.Input((4,), name="left"), keras.Input((2,), name="right")
    head = SoftmaxHead(CLASSES)(layers.Concatenate()([a, b]))
    return compiled(keras.Model({"left": a, "right": b} if kind is dict else [a, b], head))


def two_outputs(kind=dict):
    x = keras.Input((4,))
    heads = {"c": SoftmaxHead(CLASSES, name="c")(x), "r": layers.Dense(1, name="r")(x)}
    found = {"c": "sparse_categorical_crossentropy", "r": "mse"}
    if kind is list:
        heads, found = list(heads.values()), list(found.values())
    return compiled(keras.Model(x, heads), found)


def one_output_in_a_list():
    x = keras.Input((4,))
    return compiled(keras.Model(x, [SoftmaxHead(CLASSES)(x)]))


def words():
    vocabulary = layers.StringLookup(vocabulary=["a", "b"])
    body = [vocabulary, layers.Embedding(5, 2), layers.Flatten(), SoftmaxHead(CLASSES)]
    return compiled(keras.Sequential([keras.Input((4,), dtype="string"), *body]))


def optional():
    """Without its second input, it adds nothing."""

    class AddIfGiven(layers.Layer):
        def call(self, x, more=None):
            return x if more is None else x + more

    x, more = keras.Input((4,)), keras.Input((4,), optional=True)
    head = SoftmaxHead(CLASSES)(AddIfGiven()(x, more))
    return compiled(keras.Model([x, more], head))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.head = SoftmaxHead(CLASSES)

    def call(self, x):
        return self.head(x["x"] if isinstance(x, dict) else x)


class OwnStep(keras.Model):
    """Takes anything for targets."""

    def train_step(self, data):
        return {"loss": tf.reduce_sum(self(data[0]))}


def own_step():
    x = keras.Input((4,))
    return compiled(OwnStep(x, SoftmaxHead(CLASSES)(x)))


def some(part, at, value):
    """The array with a value in the rows given."""
    part = np.array(part, "float32")
    part[at] = value
    return part


REFUSED = [
    # shapes
    (classifier, X.reshape(ROWS, 2, 2), Y,
     r"x has shape \(20, 2, 2\), the model takes \(None, 4\)\. Reshape it: \.reshape\(-1, 4\)\.$"),
    (lambda: classifier((2, 2)), X, Y,
     r"takes \(None, 2, 2\)\. Reshape it: \.reshape\(-1, 2, 2\)\.$"),
    (classifier, X[:, :3], Y, r"^x has shape \(20, 3\), the model takes \(None, 4\)\.$"),
    (lambda: classifier((20, 4)), X, Y,
     r"takes \(None, 20, 4\)\. A single example needs an axis for the batch: x\[None\]\.$"),
    (convolutional, np.zeros((20, 3, 8, 6)), Y,
     r"takes \(None, 8, 6, 3\)\. Bring its axes into that order with np\.transpose\.$"),
    (two_inputs, {"left": X}, Y,
     r'^x lacks "right", an input of the model\. Received the keys: "left"\.$'),
    (two_inputs, {"left": X, "rigth": X[:, :2]}, Y,
     r'x lacks "right".* Received the keys: "left", "rigth"\. Did you mean "rigth"\?$'),
    (two_inputs, {"left": X, "more": X, "right": X[:, :2]}, Y,
     r'x has "more", which is no input of the model, .* the inputs are "left", "right"\.$'),
    (two_inputs, {"left": X, "right": X}, Y,
     r'x\["right"\] has shape \(20, 4\), the model takes \(None, 2\)\.$'),
    (lambda: two_inputs(list), [X, X[:, :2], X], Y,
     r'^x holds 3 arrays, the model takes 2 inputs: "left", "right"\.$'),
    (lambda: two_inputs(list), X, Y, r"^x holds 1 array, the model takes 2 inputs"),
    (lambda: two_inputs(list), [X[:, :2], X], Y, r"^x\[0\] has shape \(20, 2\), the model takes"),
    # types
    (classifier, X.astype(str), Y,
     r'^x holds strings, the model takes float32\. Numbers written as text: \.astype\("float32"\)'),
    (classifier, X.astype(object), Y,
     r"^x can't be a tensor: it is of dtype object\. Make it numbers, as with \.astype\("),
    (classifier, X.astype("datetime64[s]"), Y, r"^x can't be a tensor: it is of dtype datetime64"),
    (classifier, X.astype("complex64"), Y,
     r"^x is complex64, the model takes float32 and would lose the imaginary part\."),
    (classifier, X.tolist(), Y,
     r"^x must be an array\. Received: a Python list of float\. Pass np\.asarray\(x\)\.$"),
    (classifier, X, Y.tolist(), r"^y must be an array\. Received: a Python list of int\."),
    (classifier, X, Y.astype(str),
     r"^y holds strings, sparse_categorical_crossentropy takes numbers\. Number the classes: "),
    # ids
    (embedding, some(IDS, (7, 2), 10), Y,
     r'^x holds the id 10 in row 7, but layer "[^"]+" takes ids from 0 to 9 \(input_dim=10\)\. '
     r"Ids from 0 to 10, wrong in 1 of 20 rows\. Give the layer input_dim=11, or correct those "
     r"ids\."),
    (embedding, some(IDS, (7, 2), -11), Y,
     r"^x holds the id -11 in row 7, .* Correct those ids\.$"),
    (embedding, IDS % 10 + 1, Y, r"Count the ids from 0 \(x - 1\), or give the layer input_dim=11"),
    (moved_ids, [IDS[:, :1], some(IDS, (3, 1), 12)], Y,
     r"^x\[0\] and x\[1\] holds the id 12 in row 3"),
    # targets
    (classifier, X, None, r"^y is missing: the model was compiled with a loss, .* Pass y, or "),
    (classifier, X, Y + 1,
     r"^y holds class numbers from 1 to 3, the model has 3 outputs: they must lie in 0 to 2\. "
     rf"Wrong in {(Y == 2).sum()} of 20 rows, first at index {np.argmax(Y == 2)}\. "
     r"Count the classes from 0: y - 1\.$"),
    (one_output_in_a_list, X, Y + 1, r"^y holds class numbers from 1 to 3, the model has 3 out"),
    (classifier, X, Y * 3,
     r"from 0 to 6, .* Correct those labels, or give the output 7 classes\.$"),
    (classifier, X, Y - 1,
     r"from -1 to 1, .* leave a class out with SparseCategoricalCrossentropy\(ignore_class="),
    (lambda: classifier(loss=losses.SparseCategoricalCrossentropy(ignore_class=255)), X,
     some(Y, 3, -7), r"^y holds class numbers from -7 to 2, .* first at index 3\."),
    (Subclassed, X, Y + 1, r"^y holds class numbers from 1 to 3, the model has 3 outputs"),
    (classifier, X, ONE_HOT,
     r"^y has shape \(20, 3\), one row per example, but sparse_categorical_crossentropy takes one "
     r"class number\. Use categorical_crossentropy, or np\.argmax\(y, -1\)\.$"),
    (lambda: classifier(loss="categorical_crossentropy"), X, Y,
     r"^y has shape \(20,\), one number per example, but categorical_crossentropy takes a row of "
     r"3\. Use sparse_categorical_crossentropy, or keras\.utils\.to_categorical\(y, 3\)\.$"),
    (lambda: classifier(loss="categorical_crossentropy"), X, np.eye(4)[Y],
     r"^y has rows of 4 numbers, the model has 3 outputs\. Give it 4 outputs, or y 3 columns\.$"),
    (binary, X, 2 * ONE_HOT[:, :2] - 1,
     r"^y holds values from -1 to 1, binary_crossentropy takes 0 to 1\. First at index 0\. Correct "
     r"them \(for labels -1 and 1, \(y \+ 1\) / 2\), or pass check_data=False\.$"),
    (binary, X, 1.002 * ONE_HOT[:, :2], r"^y holds values from 0 to 1\.002, binary_crossentropy"),
    (two_outputs, X, {"c": Y + 1, "r": X[:, :1]}, r'^y\["c"\] holds class numbers from 1 to 3'),
    (lambda: two_outputs(list), X, [Y + 1, X[:, :1]], r"^y\[0\] holds class numbers from 1 to 3"),
    (classifier, X, Y * 0.5,
     r"^y holds class numbers with a fraction, first 0\.5 at index \d+, which Keras would cut off"),
    (regression, X, ONE_HOT,
     r"^y has shape \(20, 3\), the model's output \(None, 1\): mean_squared_error would .* "
     r"Give the model 3 outputs, or y 1 columns\.$"),
    (lambda: classifier(loss="mae"), X, X[:, 0],
     r"^y has shape \(20,\), the model's output \(None, 3\): mean_absolute_error would"),
    *[(lambda loss=loss: regression(loss), X, ONE_HOT,
       rf"^y has shape \(20, 3\), the model's output \(None, 1\): {loss} would")
      for loss in ("huber", "dice", "tversky", "categorical_hinge")],
    # values
    (classifier, some(X, [3, 9], np.nan), Y,
     r"^x holds NaN in 2 of 20 rows, first at index 3\. Impute the values or drop the rows; "
     r"check_data=False trains on them\.$"),
    (classifier, some(X, 3, np.inf), Y, r"^x holds infinity in 1 of 20 rows"),
    (classifier, some(some(X, 2, np.inf), 1, np.nan), Y, r"^x holds NaN and infinity in 2 of 20"),
    (classifier, np.float64(1e300) * X, Y, r"^x holds infinity in \d+ of 20 rows"),
    (two_inputs, {"left": X, "right": some(X[:, :2], 5, np.nan)}, Y,
     r'^x\["right"\] holds NaN in 1 of 20 rows, first at index 5\.'),
    (regression, X, some(Y, 4, np.nan), r"^y holds NaN in 1 of 20 rows, first at index 4\."),
    (own_step, some(X, 3, np.nan), Y, r"^x holds NaN in 1 of 20 rows"),
    # streams
    (classifier, DATASET((X[:, :3], Y)).batch(8), None, r"^x has shape \(None, 3\), the model "),
    (classifier, DATASET((X.astype(str), Y)).batch(8), None, r"^x holds strings"),
    (classifier, DATASET((X, ONE_HOT)).batch(8), None, r"^y has shape \(None, 3\), one row per"),
    (classifier, DATASET(X).batch(8), None, r"^y is missing"),
    (classifier, DATASET((X, Y)).take(0).batch(8), None, r"^x holds no batches: its length is 0"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "x", "y", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused(make, x, y, message):
    model = make()
    if isinstance(model, Subclassed):
        compiled(model)
    with pytest.raises(InputError, match=message):
        fit(model, x, y, verbose=0)
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_weight": some(Y, 7, np.nan)}, r"^sample_weight holds NaN in 1 of 20 rows, .* 7"),
        ({"validation_data": (X, Y + 1)}, r"^y of validation_data holds class numbers from 1 to 3"),
        ({"validation_data": (X[:, :3], Y)}, r"^x of validation_data has shape \(20, 3\)"),
        ({"validation_data": (some(X, 0, np.nan), Y)}, r"^x of validation_data holds NaN in 1 of"),
        (
            {"class_weight": {"0": 2.0}},
            r"^The keys of class_weight must be class numbers, .* Received: '0'\.$",
        ),
    ],
    ids=lambda a: a if isinstance(a, str) else ",".join(a),
)
def test_refused_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        fit(classifier(), X, Y, verbose=0, **arguments)


WEIGHT = np.ones(ROWS)


@pytest.mark.parametrize(
    ("kind", "weights", "message"),
    [
        (dict, {"c": WEIGHT}, r'each part of y: a dict of "c", "r"\. Received: a dict of "c"\.$'),
        (dict, [WEIGHT, WEIGHT], r'a dict of "c", "r"\. Received: a list of 2\.$'),
        (list, [WEIGHT], r"each part of y: a list of 2\. Received: a list of 1\.$"),
        (list, {"c": WEIGHT, "r": WEIGHT}, r'a list of 2\. Received: a dict of "c", "r"\.$'),
    ],
)
def test_weights_for_some_of_the_outputs_are_refused(kind, weights, message):
    y = {"c": Y, "r": X[:, :1]} if kind is dict else [Y, X[:, :1]]
    model = two_outputs(kind)
    with pytest.raises(ValueError, match="one `sample_weight` array per output"):
        model.fit(X, y, sample_weight=weights, verbose=0)
    with pytest.raises(InputError, match=message):
        fit(model, X, y, sample_weight=weights, verbose=0)


def partly_missing(y, prediction):
    """A loss of the user's own, which leaves out targets that are NaN."""
    known = tf.math.is_finite(y)
    return tf.reduce_sum(tf.where(known, tf.square(tf.where(known, y, 0.0) - prediction), 0.0))


TAKEN = [
    # Keras adds or takes a last axis of length 1, and converts numbers of all kinds.
    (classifier, X[..., None], Y),
    (lambda: classifier((4, 1)), X, Y),
    (lambda: classifier((1,)), X[:, 0], Y),
    (classifier, X > 0, Y),
    (classifier, X.astype("float64"), Y),
    (classifier, X.astype("float16"), Y.astype("uint8")),
    (lambda: classifier(dtype="int32"), X, Y),
    (classifier, tf.constant(X), tf.constant(Y)),
    (classifier, DATASET((X, Y)).batch(8), None),
    (words, np.full((ROWS, 4), "a"), Y),
    (optional, [X, None], Y),
    (optional, [X, X], Y),
    # A Sequential model doesn't hold to the length of its input, nor an Input of unknown length.
    (embedding, np.ones((ROWS, 6)), Y),
    # Inputs as a dict, list or tuple, with keys that the model leaves out.
    (classifier, [X], Y),
    (classifier, (X,), Y),
    (classifier, [X, X], Y),
    (two_inputs, {"right": X[:, :2], "left": X}, Y),
    (two_inputs, {"left": X, "right": X[:, :2], "unused": X}, Y),
    (two_inputs, [X, X[:, :2]], Y),
    (lambda: two_inputs(list), {"left": X, "right": X[:, :2], "more": X}, Y),
    (lambda: two_inputs(list), (X, X[:, :2]), Y),
    (lambda: compiled(Subclassed()), {"x": X}, Y),
    # Targets.
    (classifier, X, Y[:, None]),
    (classifier, X, Y[:, None, None]),
    (classifier, X, Y > 0),
    (lambda: classifier(classes=1), X, 0 * Y),
    (lambda: classifier(loss=losses.SparseCategoricalCrossentropy(ignore_class=-1)), X, Y - 1),
    (lambda: classifier(loss="categorical_crossentropy"), X, ONE_HOT),
    (lambda: classifier(loss="categorical_crossentropy"), X, 0.1 * ONE_HOT),
    (lambda: classifier(loss="categorical_focal_crossentropy"), X, Y[:, None]),
    (lambda: classifier(classes=1, loss="categorical_crossentropy"), X, Y),
    (binary, X, ONE_HOT[:, :2]),
    (binary, X, 1.000001 * ONE_HOT[:, :2] - 1e-7),
    (lambda: regression("hinge"), X, Y - 1),
    (lambda: regression("huber"), X, Y),
    (lambda: regression(partly_missing), X, some(Y[:, None], 3, np.nan)),
    (own_step, X, Y + 100),
    (own_step, X, some(Y, 3, np.nan)),
    (two_outputs, X, {"c": Y, "r": X[:, :1]}),
    (lambda: two_outputs(list), X, [Y, X[:, 0]]),
    (lambda: two_outputs(list), X, {"c": Y, "r": X[:, 0]}),
]


@pytest.mark.parametrize(("make", "x", "y"), TAKEN, ids=range(len(TAKEN)))
def test_what_keras_trains_on_is_taken(make, x, y):
    """A false alarm would be worse than a late error, so Keras is asked each time."""
    arguments = {"verbose": 0, "shuffle": False}
    with warnings.catch_warnings():
        # That a structure is another, and that a softmax over one class is always 1.
        warnings.simplefilter("ignore")
        if not words_in_numpy(x):
            keras.utils.set_random_seed(0)
            theirs = make().fit(x, y, **arguments).history
        keras.utils.set_random_seed(0)
        ours = fit(make(), x, y, **arguments).history
    if not words_in_numpy(x):
        np.testing.assert_array_equal(ours["loss"], theirs["loss"])


def words_in_numpy(x):
    """Which Keras itself can't take; it takes the same words as a tensor."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "U"


def test_the_checks_can_be_left_out():
    history = fit(classifier(), some(X, 3, np.nan), Y, verbose=0, check_data=False, on_nan="ignore")
    assert np.isnan(history.history["loss"][0])


def test_evaluate_gives_the_nan_that_keras_gives():
    x = some(X, 3, np.nan)
    assert np.isnan(evaluate(classifier(), x, Y, verbose=0))


def test_a_sum_that_overflows_is_no_infinity():
    check_finite("x", tf.fill((ROWS, 4), 3e38))
    with pytest.raises(InputError, match="x holds infinity in 20 of 20 rows"):
        check_finite("x", 2 * tf.fill((ROWS, 4), 3e38))
