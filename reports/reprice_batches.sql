-- The instants at which batches of $size calls begin, and how many calls precede each. Numbering
-- what is sorted takes a third of the time of row_number() OVER (ORDER BY started_at).
WITH started AS NOT MATERIALIZED (
    SELECT started_at FROM calls WHERE started_at >= $since AND started_at < $until
)
SELECT since, number - 1 AS before, (SELECT count(*) FROM started) AS total
FROM (
    SELECT started_at AS since, row_number() OVER () AS number
    FROM (FROM started ORDER BY started_at)
)
WHERE (number - 1) % $size = 0
ORDER BY number
