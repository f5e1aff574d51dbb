-- How many events arrived, by type and day, of how many users, and how many a crawler sent.
-- with: records
SELECT
  day, event_type,
  count(*) AS events,
  count(DISTINCT user_key) AS users,
  count_if(bot) AS from_bots
FROM records
GROUP BY day, event_type
HAVING count(DISTINCT user_key) >= :fewest OR event_type = 'item_upserted'
ORDER BY day, event_type
