"""The course's TensorFlow 1 program (course 4.1 and 4.2), as it was written then."""

import tensorflow as tf


def minimize(coefficients, steps, learning_rate=0.01):
    """w of ``a w² + b w + c`` before the first step and after each, a, b, c fed as data."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        w = v1.Variable(0, dtype=tf.float32)
        x = v1.placeholder(tf.float32, [3, 1])
        cost = x[0][0] * w**2 + x[1][0] * w + x[2][0]
        train = v1.train.GradientDescentOptimizer(learning_rate).minimize(cost)
        session.run(v1.global_variables_initializer())
        path = [session.run(w)]
        for _ in range(steps):
            session.run(train, feed_dict={x: coefficients})
            path.append(session.run(w))
    return path
