-- What pricing again needs of the calls that started in [$since, $until), of one model or of all.
SELECT
    call_id, started_at, ended_at, request_count, requests, status,
    provider, model, model_requested, context,
    usage_source, usage_flags, usage_profile, buckets, fees, tier, region, deployment, speed,
    cost_usd, cost_input_usd, cost_output_usd, cost_cache_read_usd, cost_cache_write_usd,
    cost_other_usd, cost_status, reported_usd, catalogue_version, priced_provider, priced_model,
    cost_lines
FROM calls
WHERE started_at >= $since AND started_at < $until
    AND ($model IS NULL OR model = $model OR model_requested = $model
        OR provider || '/' || model = $model)
