-- Complaints against deliveries by the domain that sent: SES looks from 0.1 % on.
WITH mails AS (
  SELECT sender_domain,
         CASE WHEN delivered_at IS NOT NULL THEN 1 ELSE 0 END AS arrived,
         CASE WHEN complained_at IS NOT NULL THEN 1 ELSE 0 END AS complaint
  FROM outcomes
  WHERE day = '{day}'
)
SELECT sender_domain, sum(arrived) AS delivered, sum(complaint) AS complaints,
       round(100.0 * sum(complaint) / nullif(sum(arrived), 0), 3) AS percent
FROM mails
GROUP BY sender_domain
ORDER BY complaints DESC, delivered DESC
