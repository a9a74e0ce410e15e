-- Calls, tokens and US dollars per key, and over all, of the calls that started in [$since, $until).
-- A refused request is one that the provider turned down (HTTP 400 to 499) without any usage. It
-- costs nothing, so it is not among the unpriced ones, though its cost is NULL.
-- cost is cost_usd in the currency of the report, converted call by call.
WITH refused_calls AS MATERIALIZED (
    SELECT call_id FROM (
        {several_that_failed}
    ) GROUP BY call_id HAVING bool_and(refused)
),
-- The calls that are in the rows as a whole: all, or those whose one request is the call.
whole AS NOT MATERIALIZED (
    SELECT
        {bucket} AS bucket, call_id, request_count, status, http_status, usage_source, cost_status,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        cost_usd, {cost} AS cost
    FROM calls
    WHERE started_at >= $since AND started_at < $until
        AND (NOT {per_request} OR coalesce(request_count, 1) = 1)
),
apart AS (
    -- The others are in the total, and in the rows unless their requests are, below.
    SELECT
        {bucket} AS bucket,
        requests IS NULL AS in_rows,
        true AS in_total,
        status = 'error' AS failed,
        usage_source <> 'provider' AS estimated,
        cost_status = 'partial' AS partly_priced,
        cost_usd IS NULL AND status = 'error' AND CASE
            WHEN requests IS NULL THEN
                coalesce(http_status BETWEEN 400 AND 499, false) AND usage_source IS NULL
            ELSE call_id IN (FROM refused_calls)
        END AS refused,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        cost_usd,
        {cost} AS cost
    FROM calls
    WHERE {per_request} AND started_at >= $since AND started_at < $until AND request_count > 1
    UNION ALL
    -- A call that went to several models or providers counts once under each of them, and each of
    -- them gets its own tokens and money.
    SELECT
        {request_bucket} AS bucket,
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
    FROM (
        {several}
    )
    WHERE {per_request}
    GROUP BY bucket, call_id
),
buckets AS (
    -- What few calls have is counted by scans of their own: where no call of a row group has it,
    -- DuckDB does not read it at all, and a filter in the sums would be asked for every call.
    SELECT
        bucket, true AS in_rows, true AS in_total,
        count(*) AS calls,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(cache_read_tokens) AS cache_read_tokens,
        sum(cache_write_tokens) AS cache_write_tokens,
        sum(reasoning_tokens) AS reasoning_tokens,
        sum(cost_usd) AS cost_usd,
        sum(cost) AS cost
    FROM whole
    GROUP BY bucket
    UNION ALL BY NAME
    SELECT bucket, true AS in_rows, true AS in_total, count(*) AS errors
    FROM whole WHERE status = 'error' GROUP BY bucket
    UNION ALL BY NAME
    SELECT bucket, true AS in_rows, true AS in_total, count(*) AS estimated_calls
    FROM whole WHERE usage_source <> 'provider' GROUP BY bucket
    UNION ALL BY NAME
    SELECT bucket, true AS in_rows, true AS in_total, count(*) AS partial_calls
    FROM whole WHERE cost_status = 'partial' GROUP BY bucket
    UNION ALL BY NAME
    SELECT
        bucket, true AS in_rows, true AS in_total,
        count(*) AS unpriced_calls,
        count(*) FILTER (status = 'error') AS unpriced_errors
    FROM whole
    WHERE cost_usd IS NULL AND NOT (status = 'error' AND CASE
        WHEN coalesce(request_count, 1) = 1 THEN
            coalesce(http_status BETWEEN 400 AND 499, false) AND usage_source IS NULL
        ELSE call_id IN (FROM refused_calls)
    END)
    GROUP BY bucket
    UNION ALL BY NAME
    SELECT
        bucket, in_rows, in_total,
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
    FROM apart
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
    coalesce(sum(calls), 0) AS calls,
    coalesce(sum(errors), 0) AS errors,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    sum(cost) AS cost,
    coalesce(sum(unpriced_calls), 0) AS unpriced_calls,
    coalesce(sum(unpriced_errors), 0) AS unpriced_errors,
    coalesce(sum(partial_calls), 0) AS partial_calls,
    coalesce(sum(estimated_calls), 0) AS estimated_calls
FROM shown
GROUP BY is_total, key
