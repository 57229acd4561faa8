"""The one place that uses what Keras and TensorFlow do not make public.

Each function says what it uses and why no public way exists, and declares the names with
`tfcourse.internals.versions.uses`. Nothing else in tfcourse touches such a name.
"""
