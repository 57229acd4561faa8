"""The base of all tables of a config."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

__all__ = ["RuleTable", "Table"]


class Table(BaseModel):
    """A table: frozen, strict about types, no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class RuleTable(Table):
    """A table of which one key, ``rule``, decides which of the others have an effect.

    Attributes:
        KEYS: The keys of each rule alone.
    """

    KEYS: ClassVar[dict[str, tuple[str, ...]]]
    rule: Any

    @property
    def unused(self) -> tuple[str, ...]:
        """The keys of the other rules."""
        return tuple(key for rule, keys in self.KEYS.items() if rule != self.rule for key in keys)

    @model_serializer(mode="wrap")
    def without_unused(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the keys and values, without the keys of the other rules."""
        return {key: value for key, value in serialize(self).items() if key not in self.unused}
