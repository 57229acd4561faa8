"""Checks of ``when``, which makes a hyperparameter depend on the values of others."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tfcourse.errors import nearest, one_of
from tfcourse.search.space.parameters import Choice, Parameter, any_of

__all__ = ["validate_conditions"]


def validate_conditions(space: Mapping[str, Parameter], raw: Mapping[str, Any]) -> list[str]:
    """Return a line for each condition whose parent or value is wrong, or that is circular.

    Args:
        space: The parameters without errors of their own.
        raw: All tables of ``[space]``; a parent with an error of its own causes none here.
    """
    problems: list[str] = []
    for name, parameter in space.items():
        condition = raw[name].get("when")
        if isinstance(condition, Mapping) and not (
            parameter.when and all(any_of(value) for _, value in parameter.when)
        ):
            problems.append(
                f"[space.{name}] when must name a parent and its value. Received: {condition}."
            )
        for parent, value in parameter.when:
            if parent in space or parent not in raw:
                for one in any_of(value):
                    problems += _problems(f"[space.{name}] when", parent, one, space)
    return problems or _cycles(space)


def _problems(where: str, parent: str, value: object, space: Mapping[str, Parameter]) -> list[str]:
    if parent not in space:
        return [
            f"{where}: {parent} is not in [space].{nearest(parent, space)} "
            f"Known: {', '.join(space)}."
        ]
    choice = space[parent]
    if not isinstance(choice, Choice):
        return [f"{where}: {parent} must have values to choose from. Received: low and high."]
    # Types are compared too: True is not 1.
    if not any(type(v) is type(value) and v == value for v in choice.values):
        return [one_of(f"{where}: {parent}", value, choice.values)]
    return []


def _cycles(space: Mapping[str, Parameter]) -> list[str]:
    """Return a line for a parameter that depends on itself, directly or through others."""
    children = {name: [n for n, p in space.items() if name in dict(p.when)] for name in space}
    try:
        TopologicalSorter(children).prepare()
    except CycleError as error:
        chain = error.args[1]
        received = " → ".join(chain)
        return [f"[space.{chain[0]}] when must not depend on itself. Received: {received}."]
    return []
