-- The $count models with the most requests in [$since, $until) that used tokens and have no price,
-- by the name that they were called by, which is the one an alias goes by. One whose amount was too
-- large for the ledger had a price.
WITH unpriced AS (
    SELECT coalesce(model_requested, model) AS model, usage_flags
    FROM calls
    WHERE started_at >= $since AND started_at < $until
        AND cost_usd IS NULL AND usage_source IS NOT NULL
        AND coalesce(request_count, 1) = 1
    UNION ALL
    SELECT coalesce(model_requested, model) AS model, usage_flags
    FROM (
        {several}
    )
    WHERE cost_usd IS NULL AND usage_source IS NOT NULL
)
SELECT model
FROM unpriced
WHERE trim(model) <> '' AND coalesce(usage_flags, '') NOT LIKE '%cost_overflow%'
GROUP BY ALL
ORDER BY count(*) DESC, model
LIMIT $count
