-- Every record of the stream once, however often its batch was written.
SELECT DISTINCT
  shard, sequence_number, day, event.event_type AS event_type, event.event_id AS event_id, event.user_key AS user_key,
  event.occurred_at AS occurred_at, event.received_at AS received_at, coalesce(event.bot, false) AS bot
FROM events
WHERE day >= date_format(current_date - INTERVAL '28' DAY, '%Y-%m-%d') AND event.event_type IS NOT NULL
