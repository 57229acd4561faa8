"""The search space: parameters, their conditions, and where their values come from."""
