-- The provider requests of calls with several that started in [$since, $until): what spend needs of
-- them. The view call_requests gives the same, but reads every field of each, which takes four times
-- as long. A call whose requests are not known is not in it.
SELECT
    call_id,
    make_timestamp(r.started_at_us) AS started_at,
    CASE WHEN r.error_type IS NULL THEN status ELSE 'error' END AS status,
    r.* EXCLUDE (started_at_us),
    coalesce(
        r.error_type IS NOT NULL AND r.http_status BETWEEN 400 AND 499 AND r.usage_source IS NULL,
        false
    ) AS refused
FROM (
    SELECT call_id, status, unnest(from_json(requests, '[{{
        "started_at_us": "BIGINT", "provider": "VARCHAR", "model": "VARCHAR",
        "model_requested": "VARCHAR", "error_type": "VARCHAR", "http_status": "SMALLINT",
        "input_tokens": "BIGINT", "output_tokens": "BIGINT", "cache_read_tokens": "BIGINT",
        "cache_write_tokens": "BIGINT", "reasoning_tokens": "BIGINT", "usage_source": "VARCHAR",
        "usage_flags": "VARCHAR", "cost_usd": "DECIMAL(18,12)", "cost_status": "VARCHAR"
    }}]')) AS r
    FROM calls
    WHERE started_at >= $since AND started_at < $until AND request_count > 1 AND {which}
)
