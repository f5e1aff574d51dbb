-- The 100 items that are surely clicked most: by the lower end of Wilson's 95% interval of their CTR.
-- with: answers, acts, outcomes
SELECT
  item_id, impressions, clicks,
  100e0 * clicks / impressions AS ctr_percent,
  100e0 * (
    (rate + 1.92073 / impressions) - 1.95996 * sqrt(rate * (1 - rate) / impressions + 0.96036 / power(impressions, 2))
  ) / (1 + 3.84146 / impressions) AS ctr_percent_at_least
FROM (
  SELECT
    item_id,
    count_if(event_type = 'impression') AS impressions,
    count_if(event_type = 'click') AS clicks,
    least(1e0 * count_if(event_type = 'click') / nullif(count_if(event_type = 'impression'), 0), 1e0) AS rate
  FROM outcomes
  GROUP BY item_id
  HAVING count(DISTINCT user_key) >= :fewest
) AS items
WHERE impressions > 0
ORDER BY ctr_percent_at_least DESC, item_id
LIMIT 100
