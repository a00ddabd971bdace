-- crm_data_mart: every user with the prostheses they wear, one row each; a user without one has a row with NULLs. A view
-- over both streams, so it is as current as they are, whichever side changes. `known` tells a prosthesis that was found
-- from one that was not, whether the reader's joins fill the gap with NULL or with a default (join_use_nulls).
SELECT
  person.user_id AS user_id,
  person.user_email AS user_email,
  person.user_name AS user_name,
  CASE WHEN prosthesis.known = 1 THEN prosthesis.prosthesis_id END AS prosthesis_id,
  CASE WHEN prosthesis.known = 1 THEN prosthesis.prosthesis_model END AS prosthesis_model,
  CASE WHEN prosthesis.known = 1 THEN prosthesis.manufacture_date END AS manufacture_date
FROM users_current AS person
LEFT JOIN (
  SELECT prosthesis_id, user_id, prosthesis_model, manufacture_date, 1 AS known
  FROM prostheses_current WHERE user_id IS NOT NULL
) AS prosthesis ON prosthesis.user_id = person.user_id
