-- Users by experiment, those in one variant only: whoever was given two is nobody's.
SELECT experiment, user_key, min(variant) AS variant
FROM answers CROSS JOIN UNNEST(assignments) AS given (experiment, variant, forced)
WHERE NOT coalesce(forced, false)
GROUP BY experiment, user_key
HAVING count(DISTINCT variant) = 1
