"""A search on a Ray cluster: the scheduler here, and an actor for each worker there."""
