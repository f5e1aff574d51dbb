-- What people sent with a receipt, an item a row, within 7 days of happening.
SELECT
  day, event.user_key AS user_key, event.event_type AS event_type, item_id, event.received_at AS received_at,
  substr(event.recommendation_id, -20) AS receipt,
  CASE event.event_type
    WHEN 'dwell' THEN least(event.value, 1800)
    WHEN 'purchase' THEN coalesce(event.value, 0)
    ELSE 1
  END AS value
FROM events CROSS JOIN UNNEST(coalesce(event.item_ids, ARRAY[event.item_id])) AS named (item_id)
WHERE
  day >= date_format(current_date - INTERVAL '28' DAY, '%Y-%m-%d')
  AND event.event_type IN ('impression', 'click', 'dwell', 'purchase')
  AND event.recommendation_id IS NOT NULL
  AND NOT coalesce(event.bot, false)
  AND from_iso8601_timestamp(event.received_at) - from_iso8601_timestamp(event.occurred_at) <= INTERVAL '7' DAY
