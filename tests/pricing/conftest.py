"""What the pricing tests share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import pytest

from costspan.pricing.catalogue import Catalogue
from costspan.pricing.types import Cost


class Price(Protocol):
    """Prices one request on a day, given as text."""

    def __call__(
        self,
        provider: str,
        model: str,
        usage: Mapping[str, object] | None,
        day: str,
        **more: object,
    ) -> Cost: ...


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The catalogue that comes with the package."""
    return Catalogue.default()


@pytest.fixture
def price(catalogue: Catalogue) -> Price:
    """A short way to `Catalogue.cost`."""

    def cost(
        provider: str,
        model: str,
        usage: Mapping[str, object] | None,
        day: str,
        **more: object,
    ) -> Cost:
        return catalogue.cost(
            provider=provider,
            model=model,
            usage=usage,
            at=datetime.fromisoformat(day).replace(tzinfo=UTC),
            **more,  # type: ignore[arg-type]  # passed on as they are
        )

    return cost
