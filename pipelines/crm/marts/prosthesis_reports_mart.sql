-- prosthesis_reports_mart: what each prosthesis did on each day, in UTC, with who wore it and what it was when the day was
-- merged. Telemetry of a prosthesis that the CRM does not know, or that nobody wears, is kept under user_id 0.
SELECT
  person.user_id AS user_id,
  daily.prosthesis_id AS prosthesis_id,
  daily.day AS day,
  person.user_email AS user_email,
  person.user_name AS user_name,
  prosthesis.prosthesis_model AS prosthesis_model,
  if(prosthesis.known = 1, toNullable(prosthesis.manufacture_date), NULL) AS manufacture_date,
  daily.events AS events,
  daily.active_minutes AS active_minutes,
  daily.first_event_at AS first_event_at,
  daily.last_event_at AS last_event_at,
  daily.movements AS movements,
  daily.movement_counts AS movement_counts,
  daily.response_ms_avg AS response_ms_avg,
  daily.response_ms_p50 AS response_ms_p50,
  daily.response_ms_p95 AS response_ms_p95,
  daily.response_ms_max AS response_ms_max,
  daily.grip_force_avg AS grip_force_avg,
  daily.grip_force_max AS grip_force_max,
  daily.battery_min AS battery_min,
  daily.battery_max AS battery_max,
  daily.battery_last AS battery_last,
  daily.errors AS errors,
  daily.error_counts AS error_counts
FROM (
  SELECT
    prosthesis_id,
    toDate(recorded_at, 'UTC') AS day,
    count() AS events,
    uniqExact(toStartOfMinute(recorded_at)) AS active_minutes,
    min(recorded_at) AS first_event_at,
    max(recorded_at) AS last_event_at,
    countIf(movement != '') AS movements,
    sumMapIf(map(toString(movement), toUInt64(1)), movement != '') AS movement_counts,
    avg(response_time_ms) AS response_ms_avg,
    quantileExact(0.5)(response_time_ms) AS response_ms_p50,
    quantileExact(0.95)(response_time_ms) AS response_ms_p95,
    max(response_time_ms) AS response_ms_max,
    if(countIf(grip_force > 0) = 0, NULL, toNullable(avgIf(grip_force, grip_force > 0))) AS grip_force_avg,
    nullIf(max(grip_force), 0) AS grip_force_max,
    min(battery) AS battery_min,
    max(battery) AS battery_max,
    argMax(battery, (recorded_at, event_id)) AS battery_last,
    countIf(error_code IS NOT NULL) AS errors,
    sumMapIf(map(ifNull(toString(error_code), ''), toUInt64(1)), error_code IS NOT NULL) AS error_counts
  FROM prosthesis_telemetry_current
  WHERE recorded_at >= toDateTime64({from:Date}, 3, 'UTC') AND recorded_at < toDateTime64({to:Date}, 3, 'UTC')
  GROUP BY prosthesis_id, day
) AS daily
LEFT JOIN (
  SELECT prosthesis_id, user_id, prosthesis_model, manufacture_date, 1 AS known FROM prostheses_current
) AS prosthesis ON prosthesis.prosthesis_id = daily.prosthesis_id
LEFT JOIN users_current AS person ON person.user_id = prosthesis.user_id
SETTINGS join_use_nulls = 0
