-- Which rules decided, how often, and for whom: what a change of a rule would touch.
SELECT rule, class, reason, count(*) AS outcomes, count(DISTINCT recipient) AS recipients
FROM outcomes
WHERE day = '{day}' AND rule IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY outcomes DESC
