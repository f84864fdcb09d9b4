-- Which receiving system refuses us for something of ours (class block), why, since when and until when.
SELECT receiving_system, reason, count(*) AS refused, min(bounced_at) AS since, max(bounced_at) AS latest
FROM outcomes
WHERE day = '{day}' AND class = 'block' AND bounced_at IS NOT NULL
GROUP BY 1, 2
ORDER BY refused DESC
