-- How long delivery takes by receiving system: half of all, and all but one in twenty.
WITH arrived AS (
  SELECT receiving_system,
         date_diff('second', from_iso8601_timestamp(first_at), from_iso8601_timestamp(delivered_at)) AS seconds
  FROM outcomes
  WHERE day = '{day}' AND delivered_at IS NOT NULL
)
SELECT receiving_system, count(*) AS delivered,
       approx_percentile(seconds, 0.5) AS half, approx_percentile(seconds, 0.95) AS most
FROM arrived
GROUP BY receiving_system
ORDER BY delivered DESC
