-- What a provider really said: the raw bodies of one source and hour, as they came.
SELECT received_at, body
FROM bodies
WHERE source = '{source}' AND date = '{date}' AND hour = '{hour}'
ORDER BY received_at
