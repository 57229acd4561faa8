"""A search as its TOML file says it: parsed, checked in full, frozen."""
