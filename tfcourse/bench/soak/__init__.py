"""The promises of searches and trainings, kept over a thousand trials and hundreds of kills."""
