-- Where answers came from, by day: `list` is the user's own, all others are stand-ins.
-- with: answers
SELECT
  day, source,
  count(*) AS answers,
  100e0 * count(*) / sum(count(*)) OVER (PARTITION BY day) AS share_percent
FROM answers
GROUP BY day, source
HAVING count(DISTINCT user_key) >= :fewest
ORDER BY day, answers DESC, source
