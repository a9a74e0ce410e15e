-- Calls, tokens and US dollars per key, and over all, of the calls that started in [$since, $until).
WITH facts AS (
    -- A call as a whole, unless its requests are told apart below.
    SELECT
        {bucket} AS bucket,
        status = 'error' AS failed,
        usage_source <> 'provider' AS estimated,
        cost_status = 'partial' AS partly_priced,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        cost_usd
    FROM calls
    WHERE started_at >= $since AND started_at < $until
        AND (request_count = 1 OR NOT {per_request})
    UNION ALL
    -- A call that went to several models or providers counts once under each of them, and each of
    -- them gets its own tokens and money.
    SELECT
        {bucket} AS bucket,
        bool_or(status = 'error') AS failed,
        bool_or(usage_source <> 'provider') AS estimated,
        -- A failed attempt of unknown cost does not weaken what is known of the others.
        bool_or(cost_usd IS NOT NULL) AND bool_or(
            cost_status = 'partial' OR (cost_status = 'unpriced' AND error_type IS NULL)
        ) AS partly_priced,
        sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens),
        sum(reasoning_tokens), sum(cost_usd)
    FROM call_requests
    WHERE {per_request} AND call_id IN (
        SELECT call_id FROM calls
        WHERE started_at >= $since AND started_at < $until AND request_count > 1
    )
    GROUP BY bucket, call_id
),
buckets AS (
    SELECT
        bucket,
        count(*) AS calls,
        count(*) FILTER (failed) AS errors,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(cache_read_tokens) AS cache_read_tokens,
        sum(cache_write_tokens) AS cache_write_tokens,
        sum(reasoning_tokens) AS reasoning_tokens,
        sum(cost_usd) AS cost_usd,
        count(*) FILTER (cost_usd IS NULL) AS unpriced_calls,
        count(*) FILTER (cost_usd IS NULL AND failed) AS unpriced_errors,
        count(*) FILTER (partly_priced) AS partial_calls,
        count(*) FILTER (estimated) AS estimated_calls
    FROM facts
    GROUP BY bucket
)
SELECT
    {key} AS key,
    sum(calls) AS calls,
    sum(errors) AS errors,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    sum(unpriced_calls) AS unpriced_calls,
    sum(unpriced_errors) AS unpriced_errors,
    sum(partial_calls) AS partial_calls,
    sum(estimated_calls) AS estimated_calls
FROM buckets
GROUP BY key
