"""The results of searches and retests, and the tables and texts that show them."""
