-- Whom mail did not reach on one day (UTC), and what the refusal means.
SELECT bounced_at, recipient, receiving_system, class, reason, rule, sender, message
FROM outcomes
WHERE day = '{day}'
  AND bounced_at >= '{from}' AND bounced_at < '{to}'
ORDER BY bounced_at DESC
