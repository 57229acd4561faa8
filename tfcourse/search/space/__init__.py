"""The search space: parameters, their conditions, and random values of them."""
