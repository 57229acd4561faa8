"""The report's page: plain HTML around the figures."""
