"""The config of a search, parsed from its TOML file and checked in full."""
