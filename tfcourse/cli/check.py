"""The command that checks a search's config and data."""

from dataclasses import asdict
from typing import Annotated

from tfcourse.cli.babysit import check_babysit
from tfcourse.cli.options import ConfigFile, Debug, Quiet, json_option
from tfcourse.cli.output import print_json
from tfcourse.notices import working
from tfcourse.terminal import console, reporting

__all__ = ["check"]


def check(
    config: ConfigFile,
    as_json: Annotated[
        bool,
        json_option(
            *("config", "name", "strategy", "trials", "objective", "direction", "space"),
            *("data", "warnings", "hints"),
        ),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Check CONFIG and its data without running anything.

    With --quiet, print warnings and hints alone.
    """
    with reporting(debug, quiet, as_json):
        from tfcourse.search.config.advice import advice
        from tfcourse.search.config.budget import hints
        from tfcourse.search.config.load import load_config
        from tfcourse.search.config.toml_file import read_tables
        from tfcourse.search.data.checks import check_data
        from tfcourse.search.results.tables import space_table

        if "babysit" in read_tables(config):
            check_babysit(config, as_json, quiet)
            return
        with working("Checking the data", disable=quiet):
            checked = load_config(config)
            data, notes = check_data(checked)
        warnings = [*advice(checked), *(f"[data] {note}" for note in notes)]
        if as_json:
            search = checked.search
            entry = {"config": config, "name": search.name, "strategy": search.strategy}
            entry |= {"trials": checked.trials, "objective": search.objective}
            space = {name: asdict(parameter) for name, parameter in checked.space.items()}
            entry |= {"direction": checked.direction, "space": space}
            entry["data"] = None if data is None else data.as_json()
            print_json({**entry, "warnings": warnings, "hints": hints(checked)})
            return
        if not quiet:
            console.print(space_table(checked))
            for line in [] if data is None else data.lines():
                console.print(line, highlight=False, soft_wrap=True, markup=False)
        for line in warnings:
            console.print(f"Warning: {line}", highlight=False, soft_wrap=True)
        for line in hints(checked):
            console.print(f"Hint: {line}", highlight=False, soft_wrap=True)
        if not quiet:
            console.print(f"{config} is valid.", highlight=False, soft_wrap=True)
