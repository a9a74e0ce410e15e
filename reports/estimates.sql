-- How far estimates were from the truth, per model, of the calls that started in [$since, $until):
-- relative errors (0.05 = 5 %) of input tokens and of US dollars; bias is signed, above 0 too high.
-- Only calls of one request that ended well and whose tokens the provider counted: others have no
-- truth to compare with. The same for money: only amounts that are whole, and not 0.
-- Medians and 95th percentiles are of one in $step of the calls, chosen by their ids.
WITH compared AS (
    SELECT
        model,
        $step = 1 OR hash(call_id) % $step::UBIGINT = 0 AS in_sample,
        estimate_input_tokens AS estimated_tokens,
        input_tokens AS real_tokens,
        CASE WHEN has_money THEN estimate_cost_usd END AS estimated_usd,
        CASE WHEN has_money THEN cost_usd END AS real_usd
    FROM (
        SELECT
            *,
            cost_usd > 0 AND cost_status <> 'partial' AND estimate_cost_usd IS NOT NULL AS has_money
        FROM calls
        WHERE started_at >= $since AND started_at < $until
            AND status = 'ok' AND usage_source = 'provider' AND request_count = 1
            AND input_tokens > 0 AND estimate_input_tokens IS NOT NULL
            AND {which}
    )
),
errors AS (
    -- Both quantiles at once: each quantile_cont keeps the values of all calls.
    SELECT
        model,
        count(*) AS calls,
        quantile_cont(abs(estimated_tokens / real_tokens - 1), [0.5, 0.95])
            FILTER (in_sample) AS input_errors,
        sum(estimated_tokens) / sum(real_tokens) - 1 AS input_bias,
        count(real_usd) AS priced_calls,
        quantile_cont(abs(estimated_usd / real_usd - 1), [0.5, 0.95])
            FILTER (in_sample) AS cost_errors,
        sum(estimated_usd) / sum(real_usd) - 1 AS cost_bias
    FROM compared
    GROUP BY model
)
SELECT
    model, calls,
    input_errors[1] AS input_error_median, input_errors[2] AS input_error_p95, input_bias,
    priced_calls,
    cost_errors[1] AS cost_error_median, cost_errors[2] AS cost_error_p95, cost_bias
FROM errors
ORDER BY calls DESC, model
