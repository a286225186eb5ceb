--
-- users_revert: what one transaction did to users is taken back
--
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET search_path = public, userstore;
CREATE ROLE regress_hr;
CREATE ROLE regress_clerk;
GRANT ALL ON SCHEMA public TO regress_hr;
GRANT USAGE ON SCHEMA public TO regress_clerk;
SET ROLE regress_hr;

-- What a statement gives, or its error.
CREATE FUNCTION answer(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	RETURN QUERY EXECUTE format('SELECT concat_ws(''|'', s.*) FROM (%s) s', statement);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
SELECT user_table_create('staff', api => 'scim');
CREATE FUNCTION state() RETURNS SETOF text LANGUAGE sql AS
	'SELECT concat_ws(''|'', id, version, document) FROM staff ORDER BY id COLLATE "C"';
CREATE FUNCTION last_transaction() RETURNS xid8 LANGUAGE sql AS
	'SELECT transaction_id FROM staff_history ORDER BY feed_position DESC, transaction_id DESC LIMIT 1';
CREATE FUNCTION answer_revert(options text DEFAULT '') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT answer('SELECT id, action, old, new, version, error FROM users_revert(''staff'', last_transaction()' || options || ')')$$;

SELECT count(*) FROM users_sync('staff', '[{"id": "ann", "userName": "ann", "title": "Engineer"}, {"id": "bob", "userName": "bob", "active": true},
	{"id": "cyd", "userName": "cyd"}, {"id": "dan", "userName": "dan", "roles": [{"value": "a"}, {"value": "b"}]}]');
CREATE TABLE earlier AS SELECT id, document FROM staff;
-- All that can happen to a user, in one transaction: values go round, one is
-- deleted, one changed twice, one created, one comes and goes.
SELECT action, count(*) FROM users_sync('staff', '[{"id": "ann", "userName": "bob"}, {"id": "bob", "userName": "ann", "active": false},
	{"id": "dan", "userName": "cyd", "roles": [{"value": "b"}]}, {"id": "eve", "userName": "eve"}]', missing => 'delete') GROUP BY action ORDER BY action;
SELECT * FROM state();
SELECT * FROM answer_revert(', dry_run => true');
SELECT * FROM state();
SELECT * FROM answer_revert();
SELECT * FROM state();
(SELECT id, document FROM staff EXCEPT TABLE earlier) UNION ALL (TABLE earlier EXCEPT SELECT id, document FROM staff);
-- Versions of those who came back go on; history tells all.
SELECT user_id, version, operation, changed, document IS NULL FROM staff_history WHERE transaction_id = last_transaction() ORDER BY user_id COLLATE "C";
SELECT count(DISTINCT request_id), bool_and(length(request_id) = 36) FROM staff_history WHERE transaction_id = last_transaction();
-- That can be taken back as well, and that again.
SELECT * FROM answer_revert(', request_id => ''oops''');
SELECT * FROM state();
SELECT DISTINCT request_id FROM staff_history WHERE transaction_id = last_transaction();
SELECT count(*) FROM answer_revert();
(SELECT id, document FROM staff EXCEPT TABLE earlier) UNION ALL (TABLE earlier EXCEPT SELECT id, document FROM staff);

-- Any transaction can be, whatever it did, plain SQL too.
BEGIN;
SELECT user_patch('staff', 'ann', '{"title": "1"}') ->> 'title', user_patch('staff', 'ann', '{"title": "2"}') ->> 'title';
UPDATE staff SET document = document || '{"title": "by SQL"}' WHERE id = 'bob';
SELECT user_create('staff', '{"userName": "fay"}', id => 'fay') ->> 'id';
SELECT user_delete('staff', 'fay');
SELECT user_delete('staff', 'cyd');
SELECT user_create('staff', '{"userName": "cyd the second"}', id => 'cyd') ->> 'id';
DELETE FROM staff WHERE id = 'dan';
COMMIT;
SELECT * FROM answer_revert();
(SELECT id, document FROM staff EXCEPT TABLE earlier) UNION ALL (TABLE earlier EXCEPT SELECT id, document FROM staff);
-- Whom plain SQL inserted, and who was changed then, is as before.
INSERT INTO staff (id, document) VALUES ('gus', '{"userName": "gus"}');
SELECT user_put('staff', 'gus', '{"userName": "gustav"}') ->> 'userName';
SELECT * FROM answer_revert();

-- Who was changed since is skipped, or refuses the whole.
SELECT count(*) FROM users_sync('staff', '[{"id": "ann", "userName": "x1"}, {"id": "bob", "userName": "x2"}, {"id": "cyd", "userName": "x3"},
	{"id": "eve", "userName": "eve"}, {"id": "hal", "userName": "hal"}]', missing => 'delete', guard => '{"deleted": 2}');
SELECT last_transaction() AS t \gset
SELECT user_patch('staff', 'bob', '{"title": "since"}') ->> 'title';
SELECT user_delete('staff', 'cyd');
UPDATE staff SET document = document || '{"title": "since"}' WHERE id = 'eve';
SELECT user_create('staff', '{"userName": "dan the second"}', id => 'dan') ->> 'id';
SELECT * FROM answer(format($$SELECT * FROM users_revert('staff', %L, atomic => true)$$, :'t'));
SELECT id, action, old, new, version, error FROM users_revert('staff', :'t');
SELECT * FROM state();
-- Now even more are.
SELECT id, action, error FROM users_revert('staff', :'t');
-- A value that another has by now fails, and refuses the whole, too.
SELECT user_patch('staff', 'ann', '{"userName": "lee"}') ->> 'userName';
SELECT last_transaction() AS t \gset
SELECT user_create('staff', '{"userName": "Ann"}', id => 'ann2') ->> 'id';
SELECT id, action, error FROM users_revert('staff', :'t');
SELECT * FROM answer(format($$SELECT * FROM users_revert('staff', %L, atomic => true)$$, :'t'));

-- What the past does not have any more cannot come back.
SELECT user_put('staff', 'gus', '{"userName": "august"}') ->> 'userName';
SELECT last_transaction() AS t \gset
SELECT user_history_purge('staff', now()) > 0;
SELECT id, action, error FROM users_revert('staff', :'t');
-- Nor is one taken for created whose version before was the first.
SELECT user_create('staff', '{"userName": "ian"}', id => 'ian') ->> 'id';
SELECT user_put('staff', 'ian', '{"userName": "ian the second"}') ->> 'id';
SELECT last_transaction() AS t \gset
SELECT user_history_purge('staff', now()) > 0;
SELECT id, action, error FROM users_revert('staff', :'t');
SELECT * FROM answer($$SELECT * FROM users_revert('staff', '3')$$);
SELECT * FROM answer($$SELECT * FROM users_revert('staff', NULL)$$);
SELECT * FROM answer($$SELECT * FROM users_revert('earlier', '3')$$);

-- Created users go as the profile says.
SELECT user_table_create('parties', api => 'cpq');
SELECT count(*) FROM users_sync('parties', '[{"id": "1", "login": "a"}, {"id": "2", "login": "b"}]');
SELECT transaction_id AS t FROM parties_history LIMIT 1 \gset
SELECT id, action, error FROM users_revert('parties', :'t');
SELECT * FROM answer(format($$SELECT * FROM users_revert('parties', %L, atomic => true)$$, :'t'));
SELECT id, action, error FROM users_revert('parties', :'t', api => 'plain');
SELECT count(*) FROM parties;

-- History has no passwords to give back.
CREATE FUNCTION hashed(password text, hash text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'hash of ' || password$$;
SELECT user_table_create('secrets', api => 'scim', password_function => 'hashed');
SELECT count(*) FROM users_sync('secrets', '[{"id": "1", "userName": "a", "password": "x1"}, {"id": "2", "userName": "b", "password": "x2"}]');
SELECT action, changed, old, new FROM users_sync('secrets', '[{"id": "1", "password": "y1"}, {"id": "2", "password": "y2", "title": "t"}]', patch => true);
SELECT transaction_id AS t FROM secrets_history WHERE version = 2 LIMIT 1 \gset
SELECT id, action, old, new, error, revert_transaction_id IS NOT NULL FROM users_revert('secrets', :'t');
SELECT user_password_verify('secrets', '1', 'y1'), user_password_verify('secrets', '2', 'y2');

-- Users whom the caller cannot see are as good as not there.
SELECT count(*) FROM users_sync('staff', '[{"id": "ann", "userName": "1"}, {"id": "bob", "userName": "2"}]', patch => true);
SELECT last_transaction() AS t \gset
GRANT SELECT ON staff TO regress_clerk;
ALTER TABLE staff ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_bob ON staff TO regress_clerk USING (id <> 'bob');
RESET ROLE;
SET ROLE regress_clerk;
SELECT * FROM answer(format($$SELECT * FROM users_revert('staff', %L)$$, :'t'));
RESET ROLE;
GRANT UPDATE ON staff TO regress_clerk;
SET ROLE regress_clerk;
SELECT id, action, error FROM users_revert('staff', :'t');
-- Who may read history reads what its policies show, and no more is known then.
RESET ROLE;
SET ROLE regress_hr;
SELECT user_put('staff', 'eve', '{"userName": "eve", "title": "1"}') ->> 'id', user_put('staff', 'eve', '{"userName": "eve", "title": "2"}') ->> 'id';
BEGIN;
SELECT user_delete('staff', 'ann'), user_delete('staff', 'bob'), user_put('staff', 'eve', '{"userName": "eve", "title": "3"}') ->> 'title';
COMMIT;
SELECT last_transaction() AS t \gset
GRANT SELECT ON staff_history TO regress_clerk;
ALTER TABLE staff_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_ann ON staff_history TO regress_clerk USING (user_id <> 'ann' AND document ->> 'title' IS DISTINCT FROM '2');
RESET ROLE;
GRANT INSERT ON staff TO regress_clerk;
SET ROLE regress_clerk;
SELECT id, action, new, error FROM users_revert('staff', :'t', dry_run => true);
RESET ROLE;
SET ROLE regress_hr;
ALTER TABLE staff_history DISABLE ROW LEVEL SECURITY;
RESET ROLE;
SET ROLE regress_clerk;
SELECT id, action, new, error FROM users_revert('staff', :'t', dry_run => true);

RESET ROLE;
DROP TABLE staff, parties, secrets, earlier CASCADE;
DROP FUNCTION hashed, state, last_transaction, answer_revert, answer;
REVOKE ALL ON SCHEMA public FROM regress_hr, regress_clerk;
DROP ROLE regress_hr, regress_clerk;
