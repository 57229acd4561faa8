"""A learning rate over a training, in float64 NumPy, as the equations are written."""

import math


def rate(step, learning_rate, schedule, steps, steps_per_epoch, warmup=0.0, decay_rate=1.0):
    begin = round(warmup * steps)
    if step < begin:
        factor = step / begin
        if schedule == "inverse_time":
            factor /= 1 + decay_rate * (step // steps_per_epoch)
        return learning_rate * factor
    done = min((step - begin) / (steps - begin), 1.0)
    return (
        learning_rate
        * {
            "constant": 1.0,
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "linear": 1 - done,
            "inverse_time": 1 / (1 + decay_rate * (step // steps_per_epoch)),
        }[schedule]
    )
