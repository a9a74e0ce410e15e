"""Tags: who or what a call is for, carried by the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar

MAX_TAGS = 32
MAX_NAME_LENGTH = 64
MAX_VALUE_LENGTH = 256

_NO_TAGS: Mapping[str, str] = {}
_current: ContextVar[Mapping[str, str]] = ContextVar("costspan_tags", default=_NO_TAGS)


class TagError(ValueError):
    """A tag that cannot be stored: too many, too long, or no text."""


def current_tags() -> Mapping[str, str]:
    """The tags of this context, innermost value wins."""
    return _current.get()


def check_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Turn what a user gave into stored tags.

    Args:
        tags: Names to values; numbers, booleans and ids are taken by their text.

    Returns:
        Names to texts.

    Raises:
        TagError: More than 32 tags, a name over 64 or a value over 256 characters, an empty name,
            or a value that is a container.
    """
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
    merged = {**_current.get(), **check_tags(values)}
    if len(merged) > MAX_TAGS:
        raise TagError(f"{len(merged)} tags in force, at most {MAX_TAGS} are kept: drop some")
    token = _current.set(merged)
    try:
        yield merged
    finally:
        _current.reset(token)
