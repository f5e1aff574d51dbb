-- Whether users are split as configured (chi-squared; Wilson-Hilferty's approximation for more than two variants).
-- Weights are those of the latest results, equal ones before there are any; below 0.001 something is broken.
-- with: answers, members, latest
SELECT
  experiment,
  array_join(array_agg(variant || '=' || CAST(users AS varchar) ORDER BY variant), ' ') AS users_by_variant,
  sum(users) AS users,
  sum(power(users - expected, 2) / expected) AS chi_squared,
  CASE
    WHEN count(*) = 2 THEN 2 * (1 - normal_cdf(0, 1, sqrt(sum(power(users - expected, 2) / expected))))
    ELSE 1 - normal_cdf(
      0, 1,
      (cbrt(sum(power(users - expected, 2) / expected) / (count(*) - 1)) - 1 + 2e0 / (9 * (count(*) - 1)))
      / sqrt(2e0 / (9 * (count(*) - 1)))
    )
  END AS p_value
FROM (
  SELECT
    counts.experiment, counts.variant, counts.users,
    coalesce(latest.weight, 1e0 / count(*) OVER (PARTITION BY counts.experiment))
    * sum(counts.users) OVER (PARTITION BY counts.experiment) AS expected
  FROM (SELECT experiment, variant, count(*) AS users FROM members GROUP BY experiment, variant) AS counts
  LEFT JOIN latest ON latest.experiment = counts.experiment AND latest.variant = counts.variant
) AS variants
GROUP BY experiment
HAVING count(*) > 1 AND min(users) >= :fewest
ORDER BY p_value, experiment
