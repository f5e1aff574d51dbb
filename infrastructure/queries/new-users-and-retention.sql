-- Users by the day of their first event in the window, and how many of them came back 1 and 7 days later.
-- with: records
SELECT
  first_day,
  count(DISTINCT user_key) AS new_users,
  count(DISTINCT CASE WHEN days_later = 1 THEN user_key END) AS back_after_1_day,
  count(DISTINCT CASE WHEN days_later = 7 THEN user_key END) AS back_after_7_days
FROM (
  SELECT
    user_key,
    min(day) OVER (PARTITION BY user_key) AS first_day,
    date_diff('day', CAST(min(day) OVER (PARTITION BY user_key) AS date), CAST(day AS date)) AS days_later
  FROM records
  WHERE user_key IS NOT NULL AND NOT bot
) AS visits
GROUP BY first_day
HAVING count(DISTINCT user_key) >= :fewest
ORDER BY first_day
