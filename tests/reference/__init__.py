"""The course's equations once more, in float64 NumPy, written from the course and not from tfcourse."""
