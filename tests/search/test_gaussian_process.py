"""The Gaussian process beside scikit-learn's, expected improvement beside its integral."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import check_grad, rosen, rosen_der
from scipy.optimize import minimize as scipy_minimize
from scipy.stats import gamma, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.acquisition import around, log_expected_improvement, maximize
from tfcourse.search.strategies.coordinates import Coordinates
from tfcourse.search.strategies.gaussian_process import (
    condition,
    fit_process,
    log_posterior,
)
from tfcourse.search.strategies.minimize import minimize
from tfcourse.search.strategies.priors import cautious_prior, confident_prior
from tfcourse.search.strategies.targets import robust_scores, standard_scores


def observations(count, dimensions, seed=0):
    random = np.random.default_rng(seed)
    points = random.random((count, dimensions))
    values = np.sin(5 * points[:, 0]) + points[:, -1] ** 2 + 0.1 * random.standard_normal(count)
    return points, (values - values.mean()) / values.std()


def reference(points, targets, lengths, signal, noise):
    kernel = ConstantKernel(signal) * Matern(lengths, nu=2.5)
    process = GaussianProcessRegressor(kernel, alpha=noise + 1e-8, optimizer=None)
    return process.fit(points, targets)


def squared_distances(points):
    return np.moveaxis(np.square(points[:, None] - points[None]), 2, 0)


class TestProcess:
    @pytest.mark.parametrize(("count", "dimensions"), [(1, 1), (10, 2), (40, 5)])
    def test_the_posterior_is_scikit_learns(self, count, dimensions):
        points, targets = observations(max(count, 2), dimensions)
        points, targets = points[:count], targets[:count]
        lengths = np.linspace(0.3, 2.0, dimensions)
        ours = condition(points, targets, 1 / lengths, 1.7, 0.05)
        theirs = reference(points, targets, lengths, 1.7, 0.05)
        places = np.random.default_rng(1).random((30, dimensions))
        mean, deviation = ours.predict(places)
        expected, spread = theirs.predict(places, return_std=True)
        assert mean == pytest.approx(expected, abs=1e-9)
        assert deviation == pytest.approx(spread, abs=1e-7)

    @pytest.mark.parametrize("prior", [cautious_prior, confident_prior])
    def test_the_evidence_is_scikit_learns(self, prior):
        points, targets = observations(25, 3)
        logs = np.array([-0.5, 0.2, 0.9, 0.3, -3.0])
        lengths, (signal, noise) = np.exp(logs[:3]), np.exp(logs[3:])
        theirs = reference(points, targets, lengths, signal, noise)
        value, _ = log_posterior(logs, squared_distances(points), targets, prior)
        constant = 0.5 * len(points) * math.log(2 * math.pi)
        evidence = theirs.log_marginal_likelihood(theirs.kernel_.theta) + constant
        assert value == pytest.approx(evidence + prior(logs)[0], abs=1e-8)

    def test_the_priors_are_their_distributions(self):
        """Up to a constant: the differences of two points are compared."""

        def cautious(logs):
            mean = [math.log(0.5 * 3**0.5)] * 3 + [0, math.log(0.1)]
            return norm(mean, [1, 1, 1, 0.7, 1.2]).logpdf(logs).sum()

        def confident(logs):
            lengths, (signal, noise) = np.exp(logs[:3]), np.exp(logs[3:])
            ends = gamma(2).logpdf(signal) + gamma(1.1, scale=1 / 30).logpdf(noise)
            return ends - 0.1 * np.sum(lengths**2 + lengths**-2)

        one, two = np.random.default_rng(5).normal(size=(2, 5))
        for ours, theirs in ((cautious_prior, cautious), (confident_prior, confident)):
            difference = ours(one)[0] - ours(two)[0]
            assert difference == pytest.approx(theirs(one) - theirs(two))

    @pytest.mark.parametrize("prior", [cautious_prior, confident_prior])
    @pytest.mark.parametrize("dimensions", [1, 4, 10])
    def test_the_slope_is_that_of_the_evidence(self, dimensions, prior):
        points, targets = observations(30, dimensions)
        squared = squared_distances(points)
        logs = np.random.default_rng(2).normal(size=dimensions + 2) * 0.5
        error = check_grad(
            lambda at: log_posterior(at, squared, targets, prior)[0],
            lambda at: log_posterior(at, squared, targets, prior)[1],
            logs,
        )
        assert error < 1e-4

    @pytest.mark.parametrize(("count", "dimensions"), [(8, 2), (30, 5), (60, 3)])
    def test_the_fit_is_the_most_probable(self, count, dimensions):
        points, targets = observations(count, dimensions)
        squared = squared_distances(points)

        def loss(logs):
            value, slope = log_posterior(logs, squared, targets)
            return -value, -slope

        process = fit_process(points, targets, np.arange(dimensions))
        ours = np.log([*(1 / process.scales), process.signal, process.noise])
        theirs = scipy_minimize(loss, np.zeros(dimensions + 2), jac=True, method="L-BFGS-B")
        assert loss(ours)[0] == pytest.approx(theirs.fun, abs=0.01)

    def test_coordinates_of_one_parameter_share_a_length(self):
        points, targets = observations(20, 3)
        process = fit_process(points, targets, np.array([0, 1, 1]))
        assert process.scales[1] == process.scales[2] != process.scales[0]

    def test_draws_have_the_posteriors_mean_and_covariance(self):
        points, targets = observations(12, 2)
        ours = condition(points, targets, np.array([2.0, 1.0]), 1.0, 0.1)
        theirs = reference(points, targets, [0.5, 1.0], 1.0, 0.1)
        places = np.random.default_rng(3).random((6, 2))
        drawn = ours.draw(places, np.random.default_rng(4).standard_normal((40_000, 6)))
        mean, covariance = theirs.predict(places, return_cov=True)
        assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.02)
        assert np.cov(drawn.T) == pytest.approx(covariance, abs=0.02)

    def test_points_twice_and_equal_targets(self):
        points = np.repeat(np.random.default_rng(0).random((4, 2)), 3, axis=0)
        for targets in (np.zeros(12), np.tile([1.0, -1.0, 0.0], 4)):
            mean, deviation = fit_process(points, targets, np.arange(2)).predict(points)
            assert np.isfinite(mean).all()
            assert (deviation > 0).all()


class TestMinimize:
    def test_rosenbrocks_valley(self):
        end = minimize(lambda x: (rosen(x), rosen_der(x)), np.array([-0.5, 0.5]))
        assert rosen(end) < 1e-3

    def test_a_bowl(self):
        weights = np.array([1.0, 10.0, 100.0])
        found = minimize(lambda x: (weights @ x**2, 2 * weights * x), np.ones(3))
        assert np.abs(2 * weights * found).max() < 0.02

    def test_it_ends_where_no_slope_exceeds_the_smallest(self):
        assert list(minimize(lambda x: (0.02 * x.sum(), np.full(2, 0.02)), np.ones(2))) == [1, 1]

    def test_the_steps_are_those_of_bfgs(self):
        """By the update of the Hessian (Nocedal and Wright 2006, 6.19), not of its inverse."""
        hessian = np.array([[9.0, 2.0, 0.0], [2.0, 3.0, 1.0], [0.0, 1.0, 1.5]])
        start, asked = np.array([4.0, -3.0, 5.0]), []

        def loss(place):
            asked.append(place)
            return 0.5 * place @ hessian @ place, hessian @ place

        minimize(loss, start)
        expected, place, slope = [start], start, hessian @ start
        model = np.eye(3) * np.linalg.norm(slope)  # a first step of length 1
        while np.abs(slope).max() >= 0.02:
            move = -np.linalg.solve(model, slope)
            move *= min(1.0, 1.5 / np.linalg.norm(move))
            loss_now = 0.5 * place @ slope
            while True:
                after = place + move
                expected.append(after)
                if 0.5 * after @ hessian @ after <= loss_now + 1e-4 * slope @ move:
                    break
                move = move / 2
            change = hessian @ move
            if len(expected) == 2:
                model = np.eye(3) * (change @ change) / (change @ move)  # 6.20
            along = model @ move
            model = model - np.outer(along, along) / (move @ along)
            model = model + np.outer(change, change) / (change @ move)
            place, slope = after, hessian @ after
        assert len(asked) > 6
        assert np.array(asked) == pytest.approx(np.array(expected), rel=1e-6, abs=1e-6)

    @pytest.mark.parametrize(
        ("fall", "end"), [(1e-4, 1.0), (1.1e-4, 1.0), (0.9e-4, 0.5), (-0.5e-4, 0.5)]
    )
    def test_a_step_must_let_the_loss_fall_by_a_share_of_what_the_slope_promises(self, fall, end):
        """From 0 with slope -1, which promises a fall of 1 at 1; both ends are flat."""
        losses = {0.0: (0.0, -1.0), 1.0: (-fall, 0.0), 0.5: (-0.5, 0.0)}

        def loss(place):
            value, slope = losses[float(place[0])]
            return value, np.array([slope])

        assert list(minimize(loss, np.zeros(1))) == [end]


class TestExpectedImprovement:
    @pytest.mark.parametrize("z", [5.0, 1.0, 0.0, -0.9, -1.1, -5.0, -19.0, -21.0, -200.0])
    @pytest.mark.parametrize("deviation", [1e-3, 2.0])
    def test_it_is_its_integral(self, z, deviation):
        """``σ φ(z) ∫ t exp(-t²/2 + tz) dt`` from 0, for negative z without underflow."""
        if z > 0:
            whole, _ = quad(lambda f: (z - f) * math.exp(-f * f / 2), -12, z)
            expected = math.log(deviation * whole / math.sqrt(2 * math.pi))
        else:
            top = 40 / (1 - z)
            whole, _ = quad(lambda t: t * math.exp(-t * t / 2 + t * z), 0, top, epsabs=0)
            expected = math.log(deviation * whole) - z * z / 2 - 0.5 * math.log(2 * math.pi)
        mean = np.array([0.3 - z * deviation])
        (found,) = log_expected_improvement(mean, np.array([deviation]), 0.3)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)

    @pytest.mark.parametrize("dimensions", [1, 2, 5])
    def test_the_largest_is_found(self, dimensions):
        centre = np.linspace(0.2, 0.9, dimensions)
        found = maximize(
            lambda places: -np.square(places - centre).sum(axis=1),
            np.empty((0, dimensions)),
            dimensions,
            seed=0,
            number=5,
        )
        assert found == pytest.approx(centre, abs=0.03)

    @pytest.mark.parametrize(("dimensions", "share"), [(1, 1.0), (2, 0.5), (3, 0.5), (8, 0.5)])
    def test_positions_around_one_differ_in_about_half_of_the_dimensions(self, dimensions, share):
        """In some more by the jumps: in 0.5/n of them, in 30 % of the positions."""
        centre, random = np.full(dimensions, 0.5), np.random.default_rng(0)
        places = np.vstack([around(centre, 0.01, random) for _ in range(40)])
        expected = share + (1 - share) * 0.3 * 0.5 / dimensions
        assert (places != centre).mean() == pytest.approx(expected, abs=0.03)

    @pytest.mark.parametrize("centre", [0.03, 0.95])
    def test_positions_around_one_come_back_from_the_edges(self, centre):
        """Beside the same draws around the middle, of which none is beyond an edge."""
        inside, places = (
            np.vstack([around(np.full(2, middle), 0.05, random) for _ in range(40)]).ravel()
            for middle in (0.5, centre)
            for random in [np.random.default_rng(1)]
        )
        jumps = inside == places
        steps = (inside - 0.5)[~jumps & (inside != 0.5)]
        assert steps.std() == pytest.approx(0.05, rel=0.1)
        assert len({*steps}) == len(steps)
        assert places[jumps].mean() == pytest.approx(0.5, abs=0.1)
        assert len({*places[jumps]}) == jumps.sum() > 200
        moved = centre + inside[~jumps] - 0.5
        assert not ((moved > 0) & (moved < 1)).all()
        assert places[~jumps] == pytest.approx(1 - np.abs(1 - np.abs(moved)))

    def test_positions_lie_in_the_cube(self):
        for seed in range(5):
            found = maximize(lambda p: p.sum(axis=1), np.ones((1, 3)) * 0.99, 3, seed, 0)
            assert ((found >= 0) & (found < 1)).all()
            assert found.min() > 0.97


class TestCoordinates:
    SPACE = {
        "rate": Range("float", 1e-4, 1.0, scale="log"),
        "units": Range("int", 32, 128, 32),
        "kind": Choice(("a", "b", "c")),
        "flag": Choice((False, True), (("kind", ("a", "b")),)),
        "momentum": Range("float", 0.5, 0.9, when=(("flag", True),)),
    }

    def test_values_and_positions_have_the_same_point(self):
        coordinates = Coordinates(self.SPACE)
        random = np.random.default_rng(0)
        for units in random.random((50, 5)):
            values = coordinates.values(units)
            again = coordinates.units([values])
            assert coordinates.values(again[0]) == pytest.approx(values)
            assert coordinates.points(again) == pytest.approx(coordinates.points(units[None]))

    def test_distances(self):
        coordinates = Coordinates({n: self.SPACE[n] for n in ("kind", "rate", "units")})
        trials = [
            {"kind": "a", "rate": 1e-4, "units": 32},
            {"kind": "b", "rate": 1e-4, "units": 32},
            {"kind": "a", "rate": 1e-2, "units": 32},
            {"kind": "a", "rate": 1e-4, "units": 128},
        ]
        points = coordinates.points(coordinates.units(trials))
        apart = np.linalg.norm(points - points[0], axis=1)
        assert apart == pytest.approx([0, 1, 0.5, 0.75])

    def test_what_is_not_active_sets_nothing_apart(self):
        coordinates = Coordinates(self.SPACE)
        random = np.random.default_rng(1)
        units = np.tile(random.random(5), (20, 1))
        place = {name: column for column, name in enumerate(coordinates.names)}
        units[:, place["kind"]] = 0.99
        units[:, place["flag"]], units[:, place["momentum"]] = random.random((2, 20))
        points = coordinates.points(units)
        assert (points == points[0]).all()

    @pytest.mark.parametrize(("values", "stepped"), [(1000, True), (1001, False)])
    def test_a_range_of_very_many_steps_counts_as_continuous(self, values, stepped):
        coordinates = Coordinates({"units": Range("int", 1, values, 1)})
        (end,) = coordinates.points(np.zeros((1, 1))).tolist()
        assert end == [pytest.approx(0.5 / values) if stepped else 0.0]

    def test_the_order_of_the_space_does_not_matter(self):
        turned = dict(reversed(self.SPACE.items()))
        trials = [sample(self.SPACE, 0, trial) for trial in range(10)]
        ours, other = Coordinates(self.SPACE), Coordinates(turned)
        assert (ours.points(ours.units(trials)) == other.points(other.units(trials))).all()


@pytest.mark.parametrize("scores_of", [robust_scores, standard_scores])
class TestScores:
    def test_mean_and_variance(self, scores_of):
        scores = scores_of(np.random.default_rng(0).lognormal(size=50).tolist())
        assert (scores.mean(), scores.std()) == pytest.approx((0, 1))

    def test_the_order_stays_and_a_failure_is_the_worst(self, scores_of):
        losses = [0.3, None, 0.1, 0.7, 0.2, 0.9, 0.4]
        scores = scores_of(losses)
        assert list(np.argsort(scores[[0, 2, 3, 4, 5, 6]])) == [1, 3, 0, 5, 2, 4]
        assert scores[1] == scores[5] == scores.max()

    def test_a_diverged_trial_does_not_flatten_the_others(self, scores_of):
        losses = np.linspace(0.1, 1.0, 10)
        for place in (0, 10):
            scores = scores_of(np.insert(losses, place, 1e9).tolist())
            assert np.ptp(np.delete(scores, place)) > 0.5
        plain = np.array([*losses, 1e9])
        assert np.ptp(plain[:10]) / plain.std() < 1e-8

    def test_units_do_not_matter(self, scores_of):
        losses = [0.3, 0.1, 50.0, 0.2, 0.4]
        moved = scores_of([3 + 7 * loss for loss in losses])
        assert moved == pytest.approx(scores_of(losses))

    def test_without_a_difference_all_are_zero(self, scores_of):
        assert list(scores_of([2.0, 2.0, None])) == [0, 0, 0]


def test_standard_scores_keep_distances_after_many_trials_near_the_best():
    """Losses up to two spreads of the first trials above their median are only shifted."""
    first = [0.9, 0.5, 1.2, 0.8, 1.0, 1.5, 0.7, 1.1]
    scores = standard_scores([*first, *[0.1] * 40])
    slopes = np.diff(scores[:8]) / np.diff(first)
    assert slopes == pytest.approx(slopes[0])
    assert scores[5] - scores[8] == pytest.approx(1.4 * slopes[0])
    flattened = robust_scores([*first, *np.linspace(0.1, 0.12, 40)])
    assert np.ptp(flattened[:8]) < 0.5


def test_standard_scores_are_in_units_of_the_first_trials():
    losses = [*np.arange(1.0, 9.0), -100.0, 30.0]
    z = (np.array(losses) - 4.5) / 3.5
    z[-1] = 2 + math.log(z[-1] - 1)  # beyond two units of the first eight
    assert standard_scores(losses) == pytest.approx((z - z.mean()) / z.std())
