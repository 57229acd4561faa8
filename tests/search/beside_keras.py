"""The trials of a search beside ``model.fit``."""

import numpy as np

from tfcourse.search.data.loading import load_split
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.building import build_trial

__all__ = ["trained_by_keras"]


def trained_by_keras(search, result, rtol=1e-4, callbacks=list):
    """Yield each trial's number and record, its model as ``model.fit`` trains it, and the history.

    The histories of both are compared. An epoch must be one step, or the order is another one.

    Args:
        search: The search.
        result: Its result.
        rtol: The relative tolerance.
        callbacks: Returns the callbacks for a model.
    """
    split, training = load_split(search.config), search.config.training
    for number, record in result.trials.items():
        model = build_trial(search.config, split, record.values, trial_seed(0, number))
        model.run_eagerly, model.jit_compile = True, False  # a few steps, quicker than their traces
        history = model.fit(
            split.train.x,
            split.train.y,
            batch_size=training.batch_size,
            epochs=training.epochs,
            shuffle=False,
            verbose=0,
            validation_data=(split.dev.x, split.dev.y),
            callbacks=callbacks(),
        ).history
        assert {*history} == {*record.history}
        for name, values in history.items():
            np.testing.assert_allclose(record.history[name], values, rtol=rtol, err_msg=name)
        yield number, record, model, history
