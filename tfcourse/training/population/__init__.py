"""Many models of one architecture, trained in one compiled program."""
