-- Share of each variant's users who bought a recommended item; what they spent on and how long they read such items.
-- with: answers, members, acts, outcomes
SELECT
  members.experiment, members.variant,
  count(*) AS users,
  count_if(bought > 0) AS buyers,
  100e0 * count_if(bought > 0) / count(*) AS conversion_percent,
  coalesce(sum(revenue), 0) AS revenue,
  coalesce(sum(revenue), 0) / count(*) AS revenue_per_user,
  coalesce(sum(dwell_seconds), 0) / count(*) AS dwell_seconds_per_user
FROM members
LEFT JOIN (
  SELECT
    user_key, experiment, variant,
    count_if(event_type = 'purchase') AS bought,
    sum(CASE WHEN event_type = 'purchase' THEN value END) AS revenue,
    sum(CASE WHEN event_type = 'dwell' THEN value END) AS dwell_seconds
  FROM outcomes CROSS JOIN UNNEST(assignments) AS given (experiment, variant, forced)
  WHERE NOT coalesce(forced, false)
  GROUP BY user_key, experiment, variant
) AS totals
  ON totals.user_key = members.user_key
  AND totals.experiment = members.experiment
  AND totals.variant = members.variant
GROUP BY members.experiment, members.variant
HAVING count(*) >= :fewest
ORDER BY members.experiment, members.variant
