-- What counts for an answer: of its own user, within 7 days of it, once for a type and item of a list.
SELECT
  acts.user_key, answers.list_id, acts.event_type, acts.item_id,
  min(acts.day) AS day,
  min_by(answers.surface, acts.received_at) AS surface,
  min_by(answers.assignments, acts.received_at) AS assignments,
  min_by(acts.value, acts.received_at) AS value
FROM acts
JOIN answers ON acts.receipt = answers.receipt AND acts.user_key = answers.user_key
WHERE from_iso8601_timestamp(acts.received_at) <= from_iso8601_timestamp(answers.at) + INTERVAL '7' DAY
GROUP BY acts.user_key, answers.list_id, acts.event_type, acts.item_id
