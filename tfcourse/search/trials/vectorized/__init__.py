"""Training a search's trials in groups, as populations, and the estimate of when it pays."""
