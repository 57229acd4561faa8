"""The course's toy problem: ``w² - 10w + 25 = (w-5)²`` from w = 0 (course 4.1 to 4.3)."""

from fractions import Fraction

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import tf1
from tests.reference import updates as reference
from tfcourse import DivergedError, InputError, minimize_quadratic
from tfcourse.internals.tensorflow import concrete_functions
from tfcourse.toy_program import SEGMENT, descend, descent_program

TWENTY = [[1.0], [-20.0], [100.0]]  # (w-10)², in the course's shape (3, 1)


class TestFiguresOfTheCourse:
    @pytest.mark.parametrize(
        ("steps", "w"), [(0, "0.0"), (1, "0.099999994"), (1000, "4.9999886"), (5001, "4.9999886")]
    )
    def test_gradient_descent(self, steps, w):
        assert str(minimize_quadratic(steps=steps).w) == w

    def test_coefficients_as_data(self):
        assert str(minimize_quadratic(np.array(TWENTY)).w) == "9.999977"

    @pytest.mark.parametrize(("steps", "w"), [(1, "0.0999993"), (1000, "5.000001")])
    def test_adam(self, steps, w):
        result = minimize_quadratic(optimizer="adam", learning_rate=0.1, steps=steps)
        assert f"{result.w:.{len(w) - 2}f}" == w

    def test_adam_with_keras_and_a_gradient_tape(self):
        w, optimizer = tf.Variable(0.0), keras.optimizers.Adam(0.1)
        optimizer.build([w])

        @tf.function
        def train(steps):
            for _ in tf.range(steps):
                with tf.GradientTape() as tape:
                    cost = w**2 - 10 * w + 25
                optimizer.apply([tape.gradient(cost, w)], [w])

        train(tf.constant(1))
        assert f"{w.numpy():.7f}" == "0.0999993"
        train(tf.constant(999))
        assert f"{w.numpy():.6f}" == "5.000001"


@pytest.mark.parametrize("coefficients", [[[1.0], [-10.0], [25.0]], TWENTY])
def test_every_step_is_that_of_the_tensorflow_1_program(coefficients):
    expected = tf1.minimize(coefficients, steps=1000)
    np.testing.assert_array_equal(minimize_quadratic(coefficients).w_history, expected)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_closed_form(jit_compile):
    """``w_t = 5 (1 - (1-2α)^t)``."""
    history = descend((1, -10, 25), 0.0, "gradient_descent", 0.01, 300, jit_compile)
    np.testing.assert_allclose(history, 5 * (1 - 0.98 ** np.arange(301)), rtol=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "hyperparameters"),
    [
        ("gradient_descent", {}),
        ("momentum", {"momentum": 0.9}),
        ("rmsprop", {"rho": 0.9, "epsilon": 1e-8}),
        ("adam", {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    ],
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_every_optimizer_follows_its_equation(optimizer, hyperparameters, jit_compile):
    history = descend((2, -8, 1), 7.0, optimizer, 0.05, 200, jit_compile)
    expected = reference.descend(
        getattr(reference, optimizer),
        lambda w: 4 * w - 8,
        7.0,
        200 * [{"learning_rate": 0.05, **hyperparameters}],
    )
    # The toy's Adam takes the powers of its decays in float32, as the course's program does.
    np.testing.assert_allclose(history, expected, rtol=2e-4 if optimizer == "adam" else 1e-5)


def test_xla_differs_in_the_last_digit_at_most():
    plain, jit = (minimize_quadratic(optimizer="adam", jit_compile=j) for j in (False, True))
    np.testing.assert_allclose(jit.w_history, plain.w_history, rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradient_descent_rounds_every_product_and_sum(jit_compile, rng):
    """As NumPy's float32 does; one instruction for a product and a sum would round once."""
    for _ in range(10):
        a, b, start = np.float32([np.exp(rng.normal()), *5 * rng.normal(size=2)])
        rate = np.float32(rng.uniform(0, 0.9) / a)
        expected = [start]
        for _ in range(200):
            gradient = a * (np.float32(2) * expected[-1]) + b
            expected.append(expected[-1] - rate * gradient)
        history = descend((a, b, 1.0), start, "gradient_descent", rate, 200, jit_compile)
        np.testing.assert_array_equal(history, expected)


@pytest.mark.parametrize("steps", [SEGMENT, SEGMENT + 2])
def test_the_descent_goes_on_in_the_next_call(steps):
    """With the optimizer's state: without it these steps would be a fifth of what they are."""
    history = descend((2, -8, 1), 7.0, "momentum", 1e-5, steps, True)
    update = {"learning_rate": 1e-5, "momentum": 0.9}
    expected = reference.descend(reference.momentum, lambda w: 4 * w - 8, 7.0, steps * [update])
    np.testing.assert_allclose(np.diff(history[-9:]), np.diff(expected[-9:]), rtol=0.01)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_next_call_goes_on_counting_adams_steps(jit_compile):
    """A step counted from 1 again would be twenty times as long."""
    steps, rate = SEGMENT + 2, 1e-3
    history = descend((2, -8, 1), 7.0, "adam", rate, steps, jit_compile)
    update = {"learning_rate": rate, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    expected = reference.descend(reference.adam, lambda w: 4 * w - 8, 7.0, steps * [update])
    np.testing.assert_allclose(np.diff(history[-9:]), np.diff(expected[-9:]), rtol=0.01)


def test_the_result():
    result = minimize_quadratic((2, -8, 1), start=7.0, steps=50)
    assert result.w_history.dtype == result.cost_history.dtype == np.float32
    assert result.w_history.shape == result.cost_history.shape == (51,)
    assert (result.w_history[0], result.w_history[-1]) == (7.0, result.w)
    assert result.cost == result.cost_history[-1]
    costs = np.polyval([2.0, -8.0, 1.0], result.w_history.astype("float64"))
    np.testing.assert_allclose(result.cost_history, costs, rtol=1e-5, atol=1e-5)
    assert (np.diff(result.cost_history) <= 0).all()
    assert result.minimum == 2.0


@pytest.mark.parametrize(
    "coefficients",
    [(1, -10, 25), (1, -20, 100), (3, -0.6, 0.03), (0.7, 11.3, -40.1), (1, 1e9, 0.5), (3, 5e6, 1)],
    ids=str,
)
def test_the_cost_is_right_where_it_cancels(coefficients):
    """Against exact fractions of the float32 w, near the minimum and at w = 0 where b²/4a ≫ c."""
    result = minimize_quadratic(coefficients, learning_rate=0.1, steps=100)
    a, b, c = map(Fraction, coefficients)
    exact = [a * w * w + b * w + c for w in map(Fraction, result.w_history.tolist())]
    lowest = float(c - b * b / (4 * a))
    np.testing.assert_allclose(result.cost_history, [float(e) for e in exact], rtol=1e-6)
    assert (result.cost_history >= np.float32(lowest)).all()


@pytest.mark.parametrize(
    ("optimizer", "jit_compile"), [("gradient_descent", True), ("momentum", False)]
)
def test_one_program_serves_all_coefficients_rates_and_steps(optimizer, jit_compile):
    descent_program.cache_clear()
    minimize_quadratic(optimizer=optimizer)
    minimize_quadratic(TWENTY, steps=7, optimizer=optimizer)
    minimize_quadratic((2, -8, 1), 3.0, optimizer, learning_rate=0.1, steps=0)
    (trace,) = concrete_functions(descent_program(optimizer, jit_compile))
    assert "StatelessWhile" in {op.type for op in trace.graph.get_operations()}


@pytest.mark.parametrize("arguments", [{"learning_rate": 0}, {"start": 5.0}, {"steps": 0}])
def test_standing_still_is_no_divergence(arguments):
    assert minimize_quadratic(**arguments).w == arguments.get("start", 0.0)


class TestErrors:
    @pytest.mark.parametrize("a", [0, -1])
    def test_no_minimum(self, a):
        with pytest.raises(
            InputError,
            match=rf"a must be > 0: with a = {a}, a·w² \+ b·w \+ c has no minimum\.",
        ):
            minimize_quadratic((a, -10, 25))

    @pytest.mark.parametrize(
        "coefficients",
        [(1, -10), (1, -10, 25, 0), (1, float("nan"), 25), (1, None, 2), "abc", (1e39, -10, 25)],
        ids=str,
    )
    def test_coefficients(self, coefficients):
        with pytest.raises(InputError, match=r"coefficients must be three finite numbers"):
            minimize_quadratic(coefficients)

    @pytest.mark.parametrize("start", [float("nan"), float("inf"), 1e39, "0", None])
    def test_start(self, start):
        with pytest.raises(InputError, match=r"start must be a finite number\. Received: "):
            minimize_quadratic(start=start)

    @pytest.mark.parametrize("steps", [-1, 1.5, True, None])
    def test_steps(self, steps):
        with pytest.raises(
            InputError, match=rf"steps must be a whole number >= 0\. Received: {steps}\."
        ):
            minimize_quadratic(steps=steps)

    @pytest.mark.parametrize("steps", [10_000_001, 10**11, np.int64(2**40)])
    @pytest.mark.parametrize("jit_compile", [False, True])
    def test_more_steps_than_memory_holds(self, steps, jit_compile):
        with pytest.raises(InputError, match=rf"steps must be <= 10_000_000: .* {int(steps):_}\."):
            minimize_quadratic(steps=steps, jit_compile=jit_compile)

    @pytest.mark.parametrize("learning_rate", [-0.01, float("nan"), "0.1"])
    def test_learning_rate(self, learning_rate):
        with pytest.raises(
            InputError,
            match=rf"learning_rate must be a number >= 0\. Received: {learning_rate!r}\.",
        ):
            minimize_quadratic(learning_rate=learning_rate)

    @pytest.mark.parametrize(
        ("typo", "hint"), [("adm", ' Did you mean "adam"?'), ("newton", ""), (None, "")]
    )
    def test_optimizer(self, typo, hint):
        with pytest.raises(InputError) as error:
            minimize_quadratic(optimizer=typo)
        assert str(error.value) == (
            'optimizer must be one of "gradient_descent", "momentum", "rmsprop", "adam". '
            f"Received: {typo!r}.{hint}"
        )


class TestDivergence:
    def test_a_rate_that_oscillates(self):
        with pytest.raises(
            DivergedError,
            match=r"Not descending: w is 5 away from the minimum 5 after 10 steps, 5 before the "
            r"first, with learning rate 1\. .*gradient descent converges below 1/a = 1\.",
        ):
            minimize_quadratic(learning_rate=1, steps=10)

    def test_a_rate_that_explodes(self):
        with pytest.raises(
            DivergedError,
            match=r"Diverged: w is not finite after step \d+ with learning rate 2\. "
            r"Choose a smaller learning rate: gradient descent converges below 1/a = 0\.5\.",
        ) as error:
            minimize_quadratic((2, -8, 1), learning_rate=2)
        step = int(str(error.value).split("after step ")[1].split()[0])
        finite = np.isfinite(error.value.result.w_history)
        assert finite[:step].all()
        assert not finite[step]

    def test_the_limit_it_names_is_the_true_one(self):
        for a in (0.5, 1, 4):
            assert minimize_quadratic((a, 0, 0), start=1.0, learning_rate=0.98 / a).w < 1
            with pytest.raises(DivergedError):
                minimize_quadratic((a, 0, 0), start=1.0, learning_rate=1.02 / a)
