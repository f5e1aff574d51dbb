-- Answers given to people, each once.
SELECT DISTINCT request_id, day, at, user_key, surface, list_id, source, model_version, receipt, assignments
FROM exposures
WHERE day >= date_format(current_date - INTERVAL '28' DAY, '%Y-%m-%d') AND NOT coalesce(bot, false)
