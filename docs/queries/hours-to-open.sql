-- How long after delivery people open, in hours; what opens within seconds is often a machine.
WITH opened AS (
  SELECT from_iso8601_timestamp(delivered_at) AS delivered, from_iso8601_timestamp(opened_at) AS first_open
  FROM outcomes
  WHERE day = '{day}' AND delivered_at IS NOT NULL AND opened_at >= delivered_at
)
SELECT date_diff('hour', delivered, first_open) AS hours, count(*) AS people
FROM opened
GROUP BY 1
ORDER BY 1
