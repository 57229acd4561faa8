"""A ledger without files."""


class Ledger:
    """What an oracle is told; a test puts the workers' records in ``records``."""

    def __init__(self):
        self.records, self.told, self.claims = {}, [], {}

    def recorded(self, trial):
        return self.records.get(trial)

    def claimed(self, claims):
        self.claims.clear()
        self.claims.update(claims)

    def ended(self, record):
        self.told.append(record)
