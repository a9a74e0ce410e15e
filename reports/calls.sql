-- The newest $count calls that started in [$since, $until), of one status or (NULL) of any.
SELECT
    call_id, started_at, provider, model, operation, status, error_type, http_status,
    estimate_input_tokens, input_tokens, estimate_output_tokens, output_tokens, usage_source,
    estimate_cost_usd, cost_usd, cost_status, latency_us, ttft_us, tags, trace_id
FROM calls
WHERE started_at >= $since AND started_at < $until AND ($status IS NULL OR status = $status)
ORDER BY started_at DESC, call_id DESC
LIMIT $count
