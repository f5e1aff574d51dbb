-- Click-through rate of each variant by day: clicks on items shown, per item shown.
-- with: answers, acts, outcomes
SELECT
  day, experiment, variant,
  count_if(event_type = 'impression') AS impressions,
  count_if(event_type = 'click') AS clicks,
  100e0 * count_if(event_type = 'click') / nullif(count_if(event_type = 'impression'), 0) AS ctr_percent
FROM outcomes CROSS JOIN UNNEST(assignments) AS given (experiment, variant, forced)
WHERE NOT coalesce(forced, false)
GROUP BY day, experiment, variant
HAVING count(DISTINCT user_key) >= :fewest
ORDER BY day, experiment, variant
