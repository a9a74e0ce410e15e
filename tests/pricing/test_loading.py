"""What the first price of a process loads and holds."""

from __future__ import annotations

import subprocess
import sys

FIRST = """
import sys
from datetime import UTC, datetime
def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
import costspan.pricing
assert "costspan.pricing.catalogue" not in sys.modules
before = resident_mb()
catalogue = costspan.pricing.Catalogue.default()
assert catalogue is costspan.pricing.Catalogue.default()
usage = {"prompt_tokens": 10, "completion_tokens": 10}
cost = catalogue.cost(provider="openai", model="gpt-4o", usage=usage, api="chat",
                      at=datetime(2026, 10, 1, tzinfo=UTC))
assert str(cost.total) == "0.000125000000", cost
assert cost.catalogue_version == catalogue.version
grown = resident_mb() - before
assert grown < 15, grown
heavy = {"tiktoken", "httpx", "duckdb", "opentelemetry"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_first_price_is_light() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST], timeout=60, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_an_attribute_error() -> None:
    code = "import costspan.pricing as p; assert not hasattr(p, 'Nothing')"
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == 0
