"""What all parts of a reply have in common: items as well as attributes, and plain dicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeAlias

Slot: TypeAlias = Any
"""A value that another room fills in; the core knows nothing of its type."""


class Shape:
    """What all parts of a reply have in common: items as well as attributes, and `model_dump`.

    Fields that begin with an underscore are no items.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]
    _own: ClassVar[frozenset[str]] = frozenset()
    """Fields of ours that OpenAI's shape does not have."""

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self.__dataclass_fields__ and not str(name).startswith("_")

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> Iterable[str]:
        """The names of the fields, so that ``dict(reply)`` works."""
        return [name for name in self.__dataclass_fields__ if not name.startswith("_")]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field; ``default`` where there is no such field or it is None."""
        value = getattr(self, name) if name in self else None
        return default if value is None else value

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, object]:
        """OpenAI's shape as plain dicts and lists.

        Args:
            exclude_none: Leave out what the provider did not say.
        """
        return {
            name: _dumped(value, exclude_none)
            for name in self.keys()
            if name not in self._own
            and not ((value := getattr(self, name)) is None and exclude_none)
        }

    def model_dump_json(self, *, exclude_none: bool = False) -> str:
        """The same as JSON text."""
        import json

        return json.dumps(self.model_dump(exclude_none=exclude_none), ensure_ascii=False)


def _dumped(value: object, exclude_none: bool) -> object:
    if isinstance(value, Shape):
        return value.model_dump(exclude_none=exclude_none)
    if isinstance(value, list):
        return [_dumped(each, exclude_none) for each in value]
    return value
