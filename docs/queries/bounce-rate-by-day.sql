-- Refused for good against delivered, by day (UTC) of the first feedback; a rate of fewer than 200 says little.
WITH mails AS (
  SELECT substr(first_at, 1, 10) AS of_day,
         CASE WHEN delivered_at IS NOT NULL THEN 1 ELSE 0 END AS arrived,
         CASE WHEN class = 'hard' AND status = 'bounced' THEN 1 ELSE 0 END AS refusal
  FROM outcomes
  WHERE day = '{day}' AND channel = 'email'
)
SELECT of_day, sum(arrived) AS delivered, sum(refusal) AS refused,
       round(100.0 * sum(refusal) / sum(greatest(arrived, refusal)), 2) AS percent
FROM mails
WHERE arrived + refusal > 0
GROUP BY of_day
ORDER BY of_day
