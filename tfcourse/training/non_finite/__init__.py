"""Losses and weights that are not finite: the rule, the cause and the rollback."""
