"""The rate of large matrix products, which no training on the machine can exceed."""

import time

import tensorflow as tf

__all__ = ["SIZE", "product_rate"]

SIZE = 1024
SECONDS = 0.5


def product_rate(seconds: float = SECONDS) -> float:
    """Return the floating-point operations a second of float32 products of square matrices.

    A product of n×n matrices has 2n³. The rate is that of the fastest product.

    Args:
        seconds: The time to measure for; there are at least two products.
    """
    a, b = (tf.random.stateless_normal([SIZE, SIZE], [0, i]) for i in range(2))
    tf.linalg.matmul(a, b).numpy()
    times: list[float] = []
    while not times or sum(times) < seconds:
        start = time.perf_counter()
        tf.linalg.matmul(a, b)[0, 0].numpy()
        times.append(time.perf_counter() - start)
    return 2 * SIZE**3 / min(times)
