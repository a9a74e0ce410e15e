"""Tags: who or what a call is for, carried by the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import NamedTuple

MAX_TAGS = 32
MAX_NAME_LENGTH = 64
MAX_VALUE_LENGTH = 256

_NO_TAGS: Mapping[str, str] = {}


class _Layers(NamedTuple):
    """The blocks that are open in a context, outermost first, and what they say together."""

    layers: tuple[Mapping[str, str], ...] = ()
    merged: Mapping[str, str] = _NO_TAGS


_NO_LAYERS = _Layers()
_current: ContextVar[_Layers] = ContextVar("costspan_tags", default=_NO_LAYERS)


class TagError(ValueError):
    """A tag that cannot be stored: too many, too long, or no text."""


def current_tags() -> Mapping[str, str]:
    """The tags of this context, innermost value wins."""
    return _current.get().merged


def check_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Turn what a user gave into stored tags.

    Args:
        tags: Names to values; numbers, booleans and ids are taken by their text.

    Returns:
        Names to texts.

    Raises:
        TagError: More than 32 tags, a name over 64 or a value over 256 characters, an empty name,
            a value that is a container, or no mapping at all.
    """
    if not isinstance(tags, Mapping):
        raise TagError(f"tags {tags!r}: give a mapping, for instance {{'team': 'search'}}")
    if len(tags) > MAX_TAGS:
        raise TagError(f"{len(tags)} tags given, at most {MAX_TAGS} are kept: drop some")
    checked: dict[str, str] = {}
    for name, value in tags.items():
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
            raise TagError(f"tag name {name!r}: use a text of 1 to {MAX_NAME_LENGTH} characters")
        if value is None or isinstance(value, (Mapping, list, tuple, set, bytes)):
            raise TagError(f"tag {name!r}: a {type(value).__name__} is no tag value, give a text")
        text = str(value)
        if len(text) > MAX_VALUE_LENGTH:
            raise TagError(
                f"tag {name!r}: its value has {len(text)} characters, "
                f"at most {MAX_VALUE_LENGTH} are kept: store a short id instead"
            )
        checked[name] = text
    return checked


OTHER_TAGS = "request_tags"
"""The tag that holds LiteLLM's tags without a name, separated by commas."""


def named_tags(texts: Iterable[str]) -> dict[str, str]:
    """LiteLLM's tags, which are texts: ``name:value`` as a tag of its own, the rest in one."""
    found: dict[str, str] = {}
    plain = []
    for text in texts:
        name, colon, value = text.partition(":")
        if colon and name.strip() and value.strip():
            found.setdefault(name.strip(), value.strip())
        else:
            plain.append(text)
    if plain:
        found[OTHER_TAGS] = ",".join(plain)
    return found


def metadata_tags(metadata: object) -> Mapping[str, str]:
    """The tags in the ``metadata`` of a completion.

    Args:
        metadata: A mapping: texts, numbers and booleans are tags by their names, and ``tags`` is
            a list as LiteLLM has it, or a mapping. Whatever cannot be a tag (containers, long
            texts) is for others and left out, for a call must not fail for it.

    Returns:
        Names to texts.
    """
    if not isinstance(metadata, Mapping):
        return _NO_TAGS
    found = {name: value for name, value in metadata.items() if name != "tags"}
    listed = metadata.get("tags")
    if isinstance(listed, Mapping):
        found.update(listed)
    elif isinstance(listed, (list, tuple)):
        found.update(named_tags(each for each in listed if isinstance(each, str)))
    sound = {}
    for name, value in found.items():
        with suppress(TagError):
            sound.update(check_tags({name: value}))
    return dict(list(sound.items())[:MAX_TAGS])


@contextmanager
def tags(**values: object) -> Iterator[Mapping[str, str]]:
    """Tag every call made inside the ``with`` block, in this thread, task and what they await.

    Args:
        values: Tag names and values, for instance ``team="search", user=42``. Inner blocks add to
            and override outer ones.

    Yields:
        All tags now in force.

    Raises:
        TagError: See `check_tags`; raised here, never in the call.

    Example:
        >>> import costspan
        >>> with costspan.tags(feature="summary"):
        ...     pass
    """
    layer = check_tags(values)
    entered = _enter(layer)
    try:
        yield entered
    finally:
        _leave(layer)


def _enter(layer: Mapping[str, str]) -> Mapping[str, str]:
    current = _current.get()
    merged = {**current.merged, **layer}
    if len(merged) > MAX_TAGS:
        raise TagError(f"{len(merged)} tags in force, at most {MAX_TAGS} are kept: drop some")
    _current.set(_Layers((*current.layers, layer), merged))
    return merged


def _leave(layer: Mapping[str, str]) -> None:
    """Take out one block, wherever it is.

    A generator that is left early closes its block after blocks that its consumer has opened, or in
    another context altogether: putting back what was in force before it would be wrong there.
    """
    layers = tuple([each for each in _current.get().layers if each is not layer])
    merged: dict[str, str] = {}
    for each in layers:
        merged.update(each)
    _current.set(_Layers(layers, merged))


def parse_tags(text: str) -> dict[str, str]:
    """Read ``team=search,env=prod``, as ``COSTSPAN_TAGS`` has it.

    Raises:
        TagError: A part that is no ``name=value``, or a tag that cannot be stored.
    """
    found = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not part.strip():
            continue
        if not equals or not name.strip():
            raise TagError(f"{part.strip()!r}: write tags as name=value, separated by commas")
        found[name.strip()] = value.strip()
    return check_tags(found)
