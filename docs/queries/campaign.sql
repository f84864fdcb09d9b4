-- How one campaign did: the tag's name and value are the sender's own.
SELECT count(*) AS messages,
       count(*) FILTER (WHERE delivered_at IS NOT NULL) AS delivered,
       count(*) FILTER (WHERE status = 'bounced') AS refused,
       count(*) FILTER (WHERE opened_at IS NOT NULL) AS opened,
       count(*) FILTER (WHERE clicked_at IS NOT NULL) AS clicked,
       count(*) FILTER (WHERE complained_at IS NOT NULL) AS complained
FROM outcomes
WHERE day = '{day}' AND element_at(correlation, '{tag}') = '{value}'
