-- Share of each variant's users who bought a recommended item, and what that brought in, per user.
-- with: answers, members, acts, outcomes
SELECT
  members.experiment, members.variant,
  count(DISTINCT members.user_key) AS users,
  count(DISTINCT bought.user_key) AS buyers,
  100e0 * count(DISTINCT bought.user_key) / count(DISTINCT members.user_key) AS conversion_percent,
  coalesce(sum(bought.value), 0) AS revenue,
  coalesce(sum(bought.value), 0) / count(DISTINCT members.user_key) AS revenue_per_user
FROM members
LEFT JOIN (
  SELECT user_key, experiment, variant, value
  FROM outcomes CROSS JOIN UNNEST(assignments) AS given (experiment, variant, forced)
  WHERE event_type = 'purchase' AND NOT coalesce(forced, false)
) AS bought
  ON bought.user_key = members.user_key
  AND bought.experiment = members.experiment
  AND bought.variant = members.variant
GROUP BY members.experiment, members.variant
ORDER BY members.experiment, members.variant
