"""The course's equations: pure functions, no variables, no Keras classes, no input or output."""
