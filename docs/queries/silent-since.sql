-- Who got mail for half a year and never showed a sign of life: candidates for a last question before you stop.
SELECT recipient, count(*) AS delivered, min(delivered_at) AS since
FROM outcomes
WHERE day = '{day}' AND channel = 'email' AND delivered_at IS NOT NULL
GROUP BY recipient
HAVING count(*) >= 5 AND count(*) FILTER (WHERE engaged_at IS NOT NULL) = 0
ORDER BY delivered DESC
