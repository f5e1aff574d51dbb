-- Items shown, those of them clicked, and those of these bought, by surface; each item of a list counts once.
-- with: answers, acts, outcomes
SELECT
  surface,
  count_if(shown) AS shown,
  count_if(shown AND clicked) AS clicked,
  count_if(shown AND clicked AND bought) AS bought,
  100e0 * count_if(shown AND clicked) / nullif(count_if(shown), 0) AS clicked_percent,
  100e0 * count_if(shown AND clicked AND bought) / nullif(count_if(shown AND clicked), 0) AS bought_percent
FROM (
  SELECT
    user_key,
    min(surface) AS surface,
    bool_or(event_type = 'impression') AS shown,
    bool_or(event_type = 'click') AS clicked,
    bool_or(event_type = 'purchase') AS bought
  FROM outcomes
  GROUP BY user_key, list_id, item_id
) AS items
GROUP BY surface
HAVING count(DISTINCT user_key) >= :fewest
ORDER BY surface
