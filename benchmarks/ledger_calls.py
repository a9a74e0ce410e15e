"""Calls for the ledger's benchmarks: one by one as the recorder makes them, and millions by SQL.

The millions look like those of a company: 18 months that end when they are made; 40 models of 6
providers, a few of them much used; 200 users, 30 features and 8 teams in the tags; a session per
user and day; 1 % errors, 0.5 % unpriced, 0.1 % with two provider requests (a failed one, then one
to another provider); a trace on every second call. Every quantity is a hash of the call's number.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import duckdb

from costspan.core.types import Served, Usage
from costspan.exporters.ledger.layout import DATABASE
from costspan.exporters.ledger.schema import create_database
from costspan.middleware.record import Call, ProviderRequest
from costspan.pricing.types import Cost, CostLine, Estimate, Interval

DAYS = 548
"""18 months."""
LIMITS = "SET threads = 2; SET memory_limit = '2GB'; SET enable_progress_bar = false"
_CHUNK = 1_000_000

# A rate is made up: it only has to give amounts of the usual size with the usual digits.
_MODELS = """\
CREATE TEMP TABLE models AS
SELECT n AS model_number, provider, api, endpoint,
    provider || '-model-' || n || '-2026' AS model, provider || '-model-' || n AS model_requested,
    in_rate, (in_rate / 10)::DECIMAL(9,4) AS cached_rate, (in_rate * 4)::DECIMAL(9,4) AS out_rate,
    format('[["tokens.in.text","{1}",1000000,[],"{0}/in"],'
        || '["tokens.in.cache_read","{2}",1000000,[],"{0}/read"],'
        || '["tokens.out.text","{3}",1000000,[],"{0}/out"]]',
        model, in_rate::VARCHAR, cached_rate::VARCHAR, out_rate::VARCHAR)::JSON AS lines
FROM (SELECT n, (0.15 + n * 7 % 40 * 0.125)::DECIMAL(9,4) AS in_rate FROM range(40) AS r(n))
JOIN (VALUES
    (0, 'openai', 'chat', 'api.openai.com'), (1, 'anthropic', 'messages', 'api.anthropic.com'),
    (2, 'google', 'generateContent', 'generativelanguage.googleapis.com'),
    (3, 'aws', 'converse', 'bedrock-runtime.us-east-1.amazonaws.com'),
    (4, 'mistral', 'chat', 'api.mistral.ai'), (5, 'x-ai', 'chat', 'api.x.ai')
) AS p(provider_number, provider, api, endpoint) ON provider_number = n % 6"""

_CALLS = """\
INSERT INTO calls BY NAME
WITH drawn AS (
    SELECT number, md5(number::VARCHAR) AS digits,
        $first_us + number * $step_us + hash(number, 1)::HUGEINT % $step_us AS us,
        (40 * pow(hash(number, 2) % 1000000 / 1e6, 3))::INTEGER % 40 AS model_number,
        hash(number, 3) % 1000 < 10 AS failed,
        hash(number, 4) % 1000 >= 5 AS known,
        hash(number, 5) % 1000 < 1 AND NOT failed AND known AS several,
        hash(number, 6) % 2 = 0 AS streaming,
        hash(number, 7) % 2 = 0 AS traced,
        exp(4 + hash(number, 8) % 5000 / 1000.0)::BIGINT AS fresh,
        CASE WHEN hash(number, 9) % 3 = 0 THEN hash(number, 10) % 64 * 128 ELSE 0 END::BIGINT
            AS read,
        exp(2 + hash(number, 11) % 5000 / 1000.0)::BIGINT AS answer,
        200000 + hash(number, 12)::HUGEINT % 8000000 AS latency_us,
        (200 * pow(hash(number, 13) % 1000000 / 1e6, 2))::INTEGER AS user_number
    FROM range($first, $last) AS r(number)
),
used AS (
    SELECT d.*, m.*, NOT failed AND known AS priced,
        us::BIGINT AS start_us, (us + latency_us)::BIGINT AS end_us,
        (fresh * m.in_rate / 1000000)::DECIMAL(18,12) AS in_usd,
        (read * m.cached_rate / 1000000)::DECIMAL(18,12) AS read_usd,
        (answer * m.out_rate / 1000000)::DECIMAL(18,12) AS out_usd,
        MAP {'tokens.in.text': fresh::DECIMAL(18,3), 'tokens.in.cache_read': read::DECIMAL(18,3),
            'tokens.out.text': answer::DECIMAL(18,3)} AS tokens,
        f.provider AS failed_provider, f.model AS failed_model
    FROM drawn AS d JOIN models AS m USING (model_number)
    JOIN models AS f ON f.model_number = (d.model_number + 1) % 40
)
SELECT
    (printf('%012x', start_us // 1000) || '7' || digits[:3] || '8' || digits[4:18])::UUID
        AS call_id,
    1 AS record_version,
    make_timestamp(start_us) AS started_at, make_timestamp(end_us) AS ended_at, latency_us,
    CASE WHEN streaming THEN latency_us // 5 END AS ttft_us,
    CASE WHEN number % 20 = 0 THEN 'embeddings' ELSE 'chat' END AS operation,
    streaming, CASE WHEN streaming THEN answer END AS chunks, several::SMALLINT AS retries,
    1 + several::SMALLINT AS request_count,
    CASE WHEN failed THEN 'error' ELSE 'ok' END AS status,
    CASE WHEN failed THEN 'error' WHEN streaming THEN 'exhausted' ELSE 'value' END AS ended_by,
    api, provider, model, model_requested, endpoint, 443 AS port,
    CASE WHEN failed THEN 'RateLimitError' END AS error_type,
    CASE WHEN failed THEN 429 END AS http_status,
    CASE WHEN NOT failed THEN 'resp-' || digits[:24] END AS response_id,
    CASE WHEN NOT failed THEN 'stop' END AS finish_reasons,
    CASE WHEN NOT failed THEN fresh + read END AS input_tokens,
    CASE WHEN NOT failed THEN answer END AS output_tokens,
    CASE WHEN NOT failed THEN read END AS cache_read_tokens,
    CASE WHEN NOT failed THEN 'provider' END AS usage_source,
    CASE WHEN NOT failed THEN provider || '/' || api END AS usage_profile,
    CASE WHEN NOT failed THEN tokens END AS buckets,
    CASE WHEN number % 50 = 0 THEN MAP {'fee.web_search': 1::DECIMAL(18,3)} END AS fees,
    CASE WHEN NOT failed THEN 'default' END AS tier,
    CASE WHEN priced THEN in_usd + read_usd + out_usd END AS cost_usd,
    CASE WHEN priced THEN in_usd END AS cost_input_usd,
    CASE WHEN priced THEN out_usd END AS cost_output_usd,
    CASE WHEN priced AND read > 0 THEN read_usd END AS cost_cache_read_usd,
    CASE WHEN priced THEN 'priced' ELSE 'unpriced' END AS cost_status,
    '2026.11' AS catalogue_version, provider AS priced_provider, model AS priced_model,
    CASE WHEN priced THEN lines END AS cost_lines,
    CASE WHEN several THEN to_json([
        {provider: failed_provider, model: failed_model, model_requested: failed_model,
            error_type: 'InternalServerError', http_status: 503, usage_source: NULL,
            input_tokens: NULL, output_tokens: NULL, cache_read_tokens: NULL, buckets: NULL,
            cost_usd: NULL, cost_status: 'unpriced', cost_lines: NULL,
            started_at_us: start_us, ended_at_us: start_us},
        {provider: provider, model: model, model_requested: model_requested,
            error_type: NULL, http_status: NULL, usage_source: 'provider',
            input_tokens: fresh + read, output_tokens: answer, cache_read_tokens: read,
            buckets: tokens, cost_usd: (in_usd + read_usd + out_usd)::VARCHAR,
            cost_status: 'priced', cost_lines: lines,
            started_at_us: start_us, ended_at_us: end_us}
    ]) END AS requests,
    fresh + read + hash(number, 14) % 40 AS estimate_input_tokens,
    fresh + read AS estimate_input_tokens_low, fresh + read + 40 AS estimate_input_tokens_high,
    200 AS estimate_output_tokens, 1 AS estimate_output_tokens_low,
    4096 AS estimate_output_tokens_high,
    (in_usd + 0.001)::DECIMAL(18,12) AS estimate_cost_usd,
    in_usd AS estimate_cost_low_usd, (in_usd + 0.02)::DECIMAL(18,12) AS estimate_cost_high_usd,
    'o200k' AS estimate_basis,
    'session-' || user_number || '-' || start_us // 86400000000 AS session_id,
    'metered' AS billing_mode, 'tokens' AS amount_kind,
    CASE WHEN traced THEN md5(digits) END AS trace_id,
    CASE WHEN traced THEN digits[17:] END AS span_id,
    CASE WHEN traced THEN md5(digits)[:16] END AS root_span_id,
    to_json({user: 'user-' || user_number, feature: 'feature-' || hash(number, 15) % 30,
        team: 'team-' || user_number % 8}) AS tags,
    'host-' || number % 8 AS host, 1000 + number % 64 AS pid, '0.4.0' AS sdk_version
FROM used
ORDER BY start_us"""


def make_calls(home: Path, calls: int) -> None:
    """Fill a new ledger.

    Args:
        home: Its folder, which is made.
        calls: How many.
    """
    home.mkdir(mode=0o700, parents=True)
    create_database(home / DATABASE)
    first = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=DAYS)
    with duckdb.connect(str(home / DATABASE)) as connection:
        connection.execute(f"{LIMITS}; {_MODELS}")
        known = {
            "first_us": int(first.replace(tzinfo=UTC).timestamp() * 1e6),
            "step_us": DAYS * 86_400 * 1_000_000 // calls,
        }
        for start in range(0, calls, _CHUNK):
            chunk = {"first": start, "last": min(start + _CHUNK, calls)}
            connection.execute(_CALLS, {**known, **chunk})


_SAID = Estimate(
    Interval(900, 1000, 1100),
    Interval(1, 200, 4096),
    Interval(Decimal("0.001"), Decimal("0.002"), Decimal("0.03")),
    "o200k",
    "high",
)


def call(number: int) -> Call:
    """A priced call with an estimate and two tags, all quantities derived from its number."""
    started_at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(milliseconds=number)
    ended_at = started_at + timedelta(seconds=1)
    tokens = {
        "tokens.in.text": 1000 + number * 7 % 5000,
        "tokens.in.cache_read": number * 11 % 3000,
        "tokens.out.text": 200 + number * 13 % 900,
    }
    rates = dict(zip(tokens, (Decimal("2.50"), Decimal("1.25"), Decimal("10.00")), strict=True))
    lines = tuple(
        CostLine(meter, count, rates[meter], 10**6, (), count * rates[meter] / 10**6, "row")
        for meter, count in tokens.items()
    )
    request = ProviderRequest(
        "openai",
        "chat",
        "gpt-4o",
        "gpt-4o-2024-08-06",
        started_at,
        ended_at,
        Usage(tokens, profile="openai/chat", served=Served(tier="default")),
        Cost(sum((line.amount_usd for line in lines), Decimal(0)), "priced", lines),
        "api.openai.com",
        443,
        f"chatcmpl-{number:032x}",
        ("stop",),
    )
    return Call(
        UUID(int=number),
        "chat",
        (request,),
        started_at,
        ended_at,
        1_000_000 + number % 7777,
        "ok",
        "value",
        tags={"team": f"team-{number % 30}", "feature": "search"},
        estimate=_SAID,
    )
