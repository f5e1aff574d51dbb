-- By day: events that came later than 7 days after they happened, those sent again by their clients, and the lag.
-- with: records
SELECT
  day,
  count(*) AS events,
  count_if(late) AS late,
  count_if(earlier > 0) AS repeated,
  avg(lag_seconds) AS mean_lag_seconds
FROM (
  SELECT
    day, user_key,
    from_iso8601_timestamp(received_at) - from_iso8601_timestamp(occurred_at) > INTERVAL '7' DAY AS late,
    date_diff('second', from_iso8601_timestamp(occurred_at), from_iso8601_timestamp(received_at)) AS lag_seconds,
    row_number() OVER (PARTITION BY user_key, event_id ORDER BY received_at, sequence_number) - 1 AS earlier
  FROM records
) AS judged
GROUP BY day
HAVING count(DISTINCT user_key) >= :fewest
ORDER BY day
