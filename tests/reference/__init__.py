"""The course's equations in float64 NumPy, written from the course and not from tfcourse."""
