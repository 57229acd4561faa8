"""Running a search: in one process, in worker processes, or with workers on other machines."""
