"""One compiled model for all trainings of an architecture, each from fresh state."""
