-- The instants at which batches of $size calls begin, and how many calls precede each.
SELECT started_at AS since, number - 1 AS before, total
FROM (
    SELECT
        started_at,
        row_number() OVER (ORDER BY started_at) AS number,
        count(*) OVER () AS total
    FROM calls
    WHERE started_at >= $since AND started_at < $until
)
WHERE (number - 1) % $size = 0
ORDER BY number
