"""The state of an installation: versions, devices and what is missing."""
