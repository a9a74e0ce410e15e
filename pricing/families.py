"""Token rules by model family, read from ``token_rules.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Literal

from costspan.pricing.rows import FOLDER

Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Family:
    """How the prompts of a family of models are counted; all figures are tokens.

    Attributes:
        name: The family's name.
        models: Globs of model ids, without provider or path.
        vocabulary: Name of the vocabulary counted with.
        confidence: How far a plain text count can be trusted.
        image: An image of unknown size.
        not_models: Globs that are not of the family after all.
        factor: Tokens of the family's own tokenizer per token of the vocabulary.
        base: Tokens of any request.
        per_message: Tokens around a message.
        first_message: Tokens around the first message, where it differs.
        per_tool_call: Tokens around a tool call in the history.
        tools_base: Tokens once any tool is defined.
        per_tool: Tokens around each tool.
        tools_base_responses: The same on the Responses api, where it differs.
        thinking: Tokens once extended thinking is on.
        schema_base: Tokens around an output schema.
        tools_factor: Tokens per vocabulary token of the tools' JSON.
    """

    name: str
    models: tuple[str, ...]
    vocabulary: str
    confidence: Confidence
    image: int
    not_models: tuple[str, ...] = ()
    factor: float = 1.0
    base: int = 0
    per_message: int = 0
    first_message: int | None = None
    per_tool_call: int = 0
    tools_base: int = 0
    tools_base_responses: int | None = None
    per_tool: int = 0
    thinking: int = 0
    schema_base: int = 0
    tools_factor: float = 1.0

    def holds(self, model: str) -> bool:
        """Say whether a model id, in lower case and without its path, is of the family."""
        return any(fnmatchcase(model, glob) for glob in self.models) and not any(
            fnmatchcase(model, glob) for glob in self.not_models
        )


@dataclass(frozen=True, slots=True)
class TokenRules:
    """The whole file.

    Attributes:
        families: In the order in which they are tried; the last one holds for every model.
        likely_output_tokens: An answer's length when nothing is known of it.
        unknown_output_limit: The longest answer of a model whose limit is unknown.
        least_cached_tokens: Shorter prompts are not cached.
        file: Tokens of a file of unknown size.
        audio: Tokens of a sound of unknown length.
        margins: By confidence, how far the true count may lie off, as a share.
    """

    families: tuple[Family, ...]
    likely_output_tokens: int
    unknown_output_limit: int
    least_cached_tokens: int
    file: int
    audio: int
    margins: dict[str, float]


@cache
def token_rules() -> TokenRules:
    """Read the rules, once."""
    with (FOLDER / "token_rules.toml").open("rb") as file:
        data = tomllib.load(file)
    families = []
    for row in data.pop("family"):
        models, not_models = tuple(row.pop("models")), tuple(row.pop("not_models", ()))
        families.append(Family(models=models, not_models=not_models, **row))
    return TokenRules(families=tuple(families), **data)


def vocabulary_of(model: str) -> str:
    """Give the name of the vocabulary that a model's tokens are counted with."""
    return family_of(model).vocabulary


@lru_cache(maxsize=1024)
def family_of(model: str) -> Family:
    """Give the family of a model, by its id in any spelling."""
    name = model.strip().lower().rpartition("/")[2].removeprefix("ft:")
    return next(family for family in token_rules().families if family.holds(name))
