"""One price of a warmed catalogue, the first price after import, and the cost cases got right.

Run it with ``python benchmarks/pricing.py``; with ``--peer`` genai-prices and LiteLLM are
installed into an environment of their own (.venv-peer) and measured beside us in the same run.
Every figure comes out of a new process; amounts are printed, so that like is compared with like.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import peer

CASES = peer.ROOT / "tests/data/cost_cases.json"
PEERS = Path(__file__).parent / "peers"
WHO = ("costspan", "genai-prices", "LiteLLM")
GROUPS = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "google": "Google",
    "azure": "Azure, Bedrock, Vertex",
    "aws": "Azure, Bedrock, Vertex",
    "vertex": "Azure, Bedrock, Vertex",
    "deepseek": "DeepSeek",
    "x-ai": "xAI",
}

COMMON = """
import time
from datetime import UTC, datetime
from pathlib import Path
def peak_mb():  # getrusage would give the peak of the process that started this one
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
at = datetime(2026, 11, 1, 12, tzinfo=UTC)
usage = {"prompt_tokens": 300000, "completion_tokens": 2000, "total_tokens": 302000,
         "prompt_tokens_details": {"cached_tokens": 200000}}
body = {"model": "gpt-5.4", "object": "chat.completion", "usage": usage,
        "service_tier": "flex", "choices": []}
peak_mb()
before, started = peak_mb(), time.perf_counter()
"""
IMPORTED = """
imported_ms, imported_mb = (time.perf_counter() - started) * 1e3, peak_mb() - before
"""
SETUPS = {
    "costspan": COMMON
    + "from costspan.pricing import Catalogue"
    + IMPORTED
    + """
from costspan.core.types import Served, Usage
def plain(used=Usage({"tokens.in.text": 1000, "tokens.out.text": 500})):
    prices = Catalogue.default()
    return prices.cost(provider="openai", model="gpt-4o", usage=used, at=at).total
small = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
def plain_payload():
    prices = Catalogue.default()
    return prices.cost(provider="openai", model="gpt-4o", usage=small, at=at, api="chat").total
def full(used=Usage({"tokens.in.text": 100000, "tokens.in.cache_read": 200000,
                     "tokens.out.text": 2000}, served=Served(tier="flex"))):
    prices = Catalogue.default()
    return prices.cost(provider="openai", model="gpt-5.4", usage=used, at=at).total
def payload():
    prices = Catalogue.default()
    return prices.cost(provider="openai", model="gpt-5.4", usage=usage, at=at, api="chat",
                       response=body).total
""",
    "genai-prices": COMMON
    + "from genai_prices import Usage, calc_price, extract_usage"
    + IMPORTED
    + """
flex = {"service_tier": "flex"}
small, large = None, None
plain_body = {"model": "gpt-4o", "object": "chat.completion", "choices": [],
              "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}}
def plain_payload():
    extracted = extract_usage(plain_body, provider_id="openai", api_flavor="chat")
    return extracted.calc_price(genai_request_timestamp=at).total_price
def plain():
    global small
    small = small or Usage(input_tokens=1000, output_tokens=500)
    return calc_price(small, "gpt-4o", provider_id="openai",
                      genai_request_timestamp=at).total_price
def full():
    global large
    large = large or Usage(input_tokens=300000, cache_read_tokens=200000, output_tokens=2000)
    return calc_price(large, "gpt-5.4", provider_id="openai", genai_request_timestamp=at,
                      price_context=flex).total_price
def payload():
    extracted = extract_usage(body, provider_id="openai", api_flavor="chat")
    return extracted.calc_price(genai_request_timestamp=at, price_context=flex).total_price
""",
    "LiteLLM": COMMON
    + "import litellm"
    + IMPORTED
    + """
from litellm import completion_cost, cost_per_token
large = litellm.Usage(**usage)
def plain():
    return sum(cost_per_token(model="gpt-4o", prompt_tokens=1000, completion_tokens=500,
                              custom_llm_provider="openai"))
plain_body = {"model": "gpt-4o", "object": "chat.completion", "choices": [],
              "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}}
def plain_payload():
    return completion_cost(completion_response=plain_body, model="gpt-4o",
                           custom_llm_provider="openai")
def full():
    return sum(cost_per_token(model="gpt-5.4", usage_object=large, service_tier="flex",
                              custom_llm_provider="openai"))
def payload():
    return completion_cost(completion_response=body, model="gpt-5.4", service_tier="flex",
                           custom_llm_provider="openai")
""",
}
FIRST = """
before, started = peak_mb(), time.perf_counter()
plain()
print(imported_ms, imported_mb, (time.perf_counter() - started) * 1e3, peak_mb() - before)
"""
REPEATED = """
for _ in range(300):
    {call}()
runs = []
for _ in range(7):
    started = time.perf_counter()
    for _ in range({rounds}):
        {call}()
    runs.append((time.perf_counter() - started) / {rounds} * 1e6)
print(min(runs), {call}())
"""


def main() -> None:
    """Print the tables."""
    who = WHO if "--peer" in sys.argv else WHO[:1]
    if len(who) > 1:
        peer.install(peer.LITELLM, peer.GENAI_PRICES)
    _speed(who)
    _cases(who)


def _speed(who: tuple[str, ...]) -> None:
    head = "".join(f"{name:>14}" for name in who) + "".join(f"{'ratio':>8}" for _ in who[1:])
    print(f"{'':<38}{head}")
    amounts = []
    for title, call in (
        ("plain call, us", "plain"),
        ("the same from the response's usage, us", "plain_payload"),
        ("cache, flex tier, > 272k band, us", "full"),
        ("the same from the response, us", "payload"),
    ):
        found = {name: _repeated(name, call) for name in who}
        _row(title, [found[name][0] for name in who])
        amounts.append((title, [f"${found[name][1]:.7f}" for name in who]))
    first = {name: _first(name) for name in who}
    for title, column in (
        ("import, ms (best of 5)", 0),
        ("import, MB added", 1),
        ("first price after import, ms (best of 5)", 2),
        ("first price after import, MB added", 3),
    ):
        _row(title, [first[name][column] for name in who])
    for title, texts in amounts:
        print(f"  {title.removesuffix(', us'):<36}" + "".join(f"{text:>14}" for text in texts))


def _row(title: str, values: list[float]) -> None:
    ratios = "".join(f"{value / values[0]:>7,.1f}x" for value in values[1:])
    print(f"{title:<40}" + "".join(f"{value:>12,.1f}  " for value in values).rstrip() + ratios)


def _repeated(who: str, call: str) -> tuple[float, float]:
    """Give microseconds of one price, the best of seven rounds in each of three processes.

    A busy neighbour can spoil all rounds of one process. The amount comes with it.
    """
    rounds = 5000 if who == "costspan" else 500
    code = SETUPS[who] + REPEATED.format(call=call, rounds=rounds)
    runs = [_run(["-c", code], who).split() for _ in range(3)]
    return min(float(time_us) for time_us, _ in runs), float(runs[0][1])


def _first(who: str) -> list[float]:
    """Give ms and MB of the import and of the first price after it."""
    runs = [[float(n) for n in _run(["-c", SETUPS[who] + FIRST], who).split()] for _ in range(5)]
    columns = list(zip(*runs, strict=True))
    return [(min, statistics.median)[i % 2](column) for i, column in enumerate(columns)]


def _cases(who: tuple[str, ...]) -> None:
    cases: list[dict[str, Any]] = json.loads(CASES.read_text(encoding="utf-8"))
    answers = {name: _answers(name, cases) for name in who}
    print(f"\n{'cost cases right to 1e-9 / 0.5 %':<34}{'cases':>6}", end="")
    print("".join(f"{name:>14}" for name in who))
    groups = [GROUPS.get(case["provider"], "others") for case in cases]
    for group in ("all", *dict.fromkeys(groups)):
        some = [c for c, its in zip(cases, groups, strict=True) if group in ("all", its)]
        _counts(group, some, [_right_both(some, answers[name]) for name in who])
    _counts("no answer", cases, [_many(cases, answers[name], _no_answer) for name in who])
    _counts("answered $0", cases, [_many(cases, answers[name], _silent_zero) for name in who])


def _counts(title: str, some: list[dict[str, Any]], texts: list[str]) -> None:
    print(f"{title:<34}{len(some):>6}" + "".join(f"{text:>14}" for text in texts))


def _right_both(cases: list[dict[str, Any]], answers: dict[str, str]) -> str:
    exact = _many(cases, answers, lambda said, due: _close(said, due, Decimal("1e-9")))
    near = _many(cases, answers, lambda said, due: _close(said, due, due * Decimal("0.005")))
    return f"{exact} / {near}"


def _many(
    cases: list[dict[str, Any]],
    answers: dict[str, str],
    holds: Callable[[Decimal | None, Decimal], bool],
) -> str:
    """Count the cases of which something holds, given the answer and the amount due."""
    return str(
        sum(holds(_amount(answers[case["id"]]), Decimal(case["expected_usd"])) for case in cases)
    )


def _close(said: Decimal | None, due: Decimal, tolerance: Decimal) -> bool:
    return said is not None and abs(said - due) <= tolerance


def _no_answer(said: Decimal | None, due: Decimal) -> bool:
    return said is None


def _silent_zero(said: Decimal | None, due: Decimal) -> bool:
    return said == 0 != due


def _amount(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:  # the name of an error
        return None


def _answers(who: str, cases: list[dict[str, Any]]) -> dict[str, str]:
    if who == "costspan":
        return {case["id"]: _ours(case) for case in cases}
    script = PEERS / f"{who.lower().replace('-', '_')}_costs.py"
    found: dict[str, str] = json.loads(_run([str(script)], who, json.dumps(cases)))
    return found


def _ours(case: dict[str, Any]) -> str:
    from costspan.pricing import Catalogue

    cost = Catalogue.default().cost(
        provider=case["provider"],
        model=case["model"],
        usage=case["usage"],
        at=datetime.fromisoformat(case["timestamp"]),
        api=case["api"],
        response_model=case["response_model"],
        response=case["response_extra"],
        context=case["context"],
    )
    return str(cost.total) if cost.total is not None else cost.status


def _run(command: list[str], who: str, stdin: str = "") -> str:
    return peer.last_line(command, peer=who != "costspan", stdin=stdin)


if __name__ == "__main__":
    main()
