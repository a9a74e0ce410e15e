-- Calls, tokens and US dollars per key, and over all, of the calls that started in [$since, $until).
-- A refused request is one that the provider turned down (HTTP 400 to 499) without any usage. It
-- costs nothing, so it is not among the unpriced ones, though its cost is NULL.
-- cost is cost_usd in the currency of the report, converted call by call.
WITH several AS (
    SELECT *, coalesce(
        error_type IS NOT NULL AND http_status BETWEEN 400 AND 499 AND usage_source IS NULL, false
    ) AS refused
    FROM call_requests
    WHERE call_id IN (
        SELECT call_id FROM calls
        WHERE started_at >= $since AND started_at < $until AND request_count > 1
    )
),
facts AS (
    -- A call as a whole: it is in the total, and in the rows unless its requests are, below.
    SELECT
        {bucket} AS bucket,
        request_count = 1 OR NOT {per_request} AS in_rows,
        true AS in_total,
        status = 'error' AS failed,
        usage_source <> 'provider' AS estimated,
        cost_status = 'partial' AS partly_priced,
        cost_usd IS NULL AND status = 'error' AND CASE
            WHEN request_count = 1 THEN
                coalesce(http_status BETWEEN 400 AND 499, false) AND usage_source IS NULL
            ELSE call_id IN (SELECT call_id FROM several GROUP BY call_id HAVING bool_and(refused))
        END AS refused,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        cost_usd,
        {cost} AS cost
    FROM calls
    WHERE started_at >= $since AND started_at < $until
    UNION ALL
    -- A call that went to several models or providers counts once under each of them, and each of
    -- them gets its own tokens and money.
    SELECT
        {bucket} AS bucket,
        true AS in_rows,
        false AS in_total,
        bool_or(status = 'error') AS failed,
        bool_or(usage_source <> 'provider') AS estimated,
        -- A failed attempt of unknown cost does not weaken what is known of the others.
        bool_or(cost_usd IS NOT NULL) AND bool_or(
            cost_status = 'partial' OR (cost_status = 'unpriced' AND error_type IS NULL)
        ) AS partly_priced,
        bool_and(refused) AS refused,
        sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens),
        sum(reasoning_tokens), sum(cost_usd), sum({cost})
    FROM several
    WHERE {per_request}
    GROUP BY bucket, call_id
),
buckets AS (
    SELECT
        bucket,
        in_rows,
        in_total,
        count(*) AS calls,
        count(*) FILTER (failed) AS errors,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(cache_read_tokens) AS cache_read_tokens,
        sum(cache_write_tokens) AS cache_write_tokens,
        sum(reasoning_tokens) AS reasoning_tokens,
        sum(cost_usd) AS cost_usd,
        sum(cost) AS cost,
        count(*) FILTER (cost_usd IS NULL AND NOT refused) AS unpriced_calls,
        count(*) FILTER (cost_usd IS NULL AND NOT refused AND failed) AS unpriced_errors,
        count(*) FILTER (partly_priced) AS partial_calls,
        count(*) FILTER (estimated) AS estimated_calls
    FROM facts
    GROUP BY bucket, in_rows, in_total
),
shown AS (
    SELECT false AS is_total, {key} AS key, * FROM buckets WHERE in_rows
    UNION ALL
    SELECT true AS is_total, NULL AS key, * FROM buckets WHERE in_total
)
SELECT
    is_total,
    key,
    sum(calls) AS calls,
    sum(errors) AS errors,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    sum(cost) AS cost,
    sum(unpriced_calls) AS unpriced_calls,
    sum(unpriced_errors) AS unpriced_errors,
    sum(partial_calls) AS partial_calls,
    sum(estimated_calls) AS estimated_calls
FROM shown
GROUP BY is_total, key
