"""A search in several processes: a chief that hands out trials, workers that train them."""
