"""One compiled model for all trainings of an architecture, each from its own initial state."""
