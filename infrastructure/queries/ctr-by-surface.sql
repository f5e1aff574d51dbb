-- Click-through rate of each surface by day, users outside of experiments included.
-- with: answers, acts, outcomes
SELECT
  day, surface,
  count_if(event_type = 'impression') AS impressions,
  count_if(event_type = 'click') AS clicks,
  100e0 * count_if(event_type = 'click') / nullif(count_if(event_type = 'impression'), 0) AS ctr_percent
FROM outcomes
GROUP BY day, surface
HAVING count(DISTINCT user_key) >= :fewest
ORDER BY day, surface
