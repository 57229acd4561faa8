"""The keys of ``[training]`` about the weights of examples."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, Strict, field_validator

from tfcourse.search.config.table import Table

__all__ = ["Names", "Weight", "WeightKeys"]

Names = Annotated[tuple[str, ...], Strict(False)]
Weight = Annotated[float, Field(ge=0)]


class WeightKeys(Table):
    """The weights of the classes, and the metrics that weigh the examples.

    Attributes:
        class_weight: The weight of each class in the training's loss, by its name, or by its
            number where the classes have no names; a class that is not in it has 1.
            ``"balanced"``: as scikit-learn's, from the train set, that of a fold too. The dev and
            the test set are not weighed, as in Keras's ``fit``. Of several outputs a table of
            these by output.
        weighted_metrics: Metrics that weigh the examples as the loss does, as Keras's argument of
            ``compile``: by their names, or of several outputs a table of them by output.
    """

    class_weight: dict[str, dict[str, Weight] | str | Weight] | Literal["balanced"] | None = None
    weighted_metrics: dict[str, Names] | Names | None = None

    @field_validator("class_weight", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        """Return the tables of class weights with their keys as texts, as a TOML file has them."""
        return _with_texts(value)


def _with_texts(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {str(key): _with_texts(entry) for key, entry in value.items()}
