-- The weights of each experiment's variants in its latest results.
SELECT experiment, name AS variant, max_by(weight, day) AS weight
FROM experiment_results
CROSS JOIN UNNEST(variants) AS listed (
  name, weight, users, impressions, clicks, conversions, revenue, dwell_seconds, ctr, ctr_interval, comparisons
)
WHERE day >= date_format(current_date - INTERVAL '28' DAY, '%Y-%m-%d')
GROUP BY experiment, name
