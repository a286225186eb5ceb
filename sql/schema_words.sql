--
-- Every type and every word of an attribute schema, shown to work: a schema of
-- one attribute is defined again and again, and users are sent to a table that
-- uses it.
--
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE ROLE regress_words;
CREATE SCHEMA regress_words AUTHORIZATION regress_words;
RESET client_min_messages;
SET SESSION AUTHORIZATION regress_words;
SET search_path = regress_words;

-- What a command gives, or how it is refused: SQLSTATE, message, DETAIL, HINT.
CREATE FUNCTION outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    detail text;
    hint text;
BEGIN
    EXECUTE command INTO result;
    RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

-- Define the schema of the table: one attribute "a" with these words.
CREATE FUNCTION attribute(words jsonb) RETURNS void LANGUAGE sql AS $$
    SELECT userstore.attribute_schema_define(jsonb_build_object(
        'id', 'urn:regress:words', 'name', 'Words',
        'attributes', jsonb_build_array('{"name": "a"}' || words)))
$$;

-- Create the user with each of these values of "a": what is stored, or why not.
CREATE FUNCTION judged(VARIADIC sent text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    value text;
    answer text;
BEGIN
    FOREACH value IN ARRAY sent LOOP
        DELETE FROM words;
        answer := outcome(format('SELECT userstore.user_create(''words'', %L, ''u'')',
            '{"a": ' || value || '}'));
        RETURN NEXT value || ' => ' ||
            coalesce((SELECT coalesce((document -> 'a')::text, 'nothing') FROM words), answer);
    END LOOP;
END $$;
-- Other updates of the same user.
CREATE FUNCTION put(body jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT userstore.user_put(''words'', ''u'', %L) - ''{id,meta}''::text[]', body))
$$;
CREATE FUNCTION patch(body jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT outcome(format('SELECT userstore.user_patch(''words'', ''u'', %L) - ''{id,meta}''::text[]', body))
$$;

SELECT attribute('{"type": "string"}');
SELECT userstore.api_profile_define('regress_words', '{"unknown_attributes": "reject"}');
SELECT userstore.user_table_create('words', api => 'regress_words', schemas => '{urn:regress:words}');
CREATE FUNCTION stored() RETURNS jsonb LANGUAGE sql AS $$ SELECT document FROM words WHERE id = 'u' $$;

--
-- Types
--
SELECT attribute('{"type": "string"}');
SELECT judged('"x"', '""', '" "', '1', 'true', '["x"]', '{"x": 1}');
SELECT attribute('{}');  -- RFC 7643: the default type is string
SELECT judged('"x"', '1');
SELECT attribute('{"type": "boolean"}');
SELECT judged('true', 'false', '"true"', '1', '[true]');
SELECT attribute('{"type": "decimal"}');
SELECT judged('1', '-1.50', '1e30', '0.1234567890123456789012345678901', '"1"', 'true');
SELECT attribute('{"type": "integer"}');
SELECT judged('1', '-5', '1.0', '123456789012345678901234567890', '1.5', '"1"');
SELECT attribute('{"type": "dateTime"}');
SELECT judged('"2026-01-31T12:00:00Z"', '"2026-01-31T12:00:00.123+05:30"', '"2026-01-31T12:00:00"',
    '"2024-02-29T23:59:60Z"', '"2026-02-29T12:00:00Z"', '"2026-01-31"', '"2026-01-31 12:00:00Z"',
    '"2026-01-31T24:00:00Z"', '"now"', '1');
SELECT attribute('{"type": "binary"}');
SELECT judged('"aGVsbG8="', '"aGVsbG8"', '"_-_-"', '""', '"a"', '"aGVsbG8=="', '"a b="', '"aGVs\nbG8="', '1');
SELECT attribute('{"type": "reference", "referenceTypes": ["User", "external"]}');
SELECT judged('"../Users/1"', '1');
SELECT attribute('{"type": "any"}');
SELECT judged('"x"', '1.50', 'true', '[1, null, {"x": null}]', '{"x": {"y": null, "z": 1}}', '{}', '[]');
-- complex, three deep, and a multi-valued one inside
SELECT attribute('{"type": "complex", "subAttributes": [
    {"name": "b", "type": "complex", "subAttributes": [
        {"name": "c", "type": "complex", "subAttributes": [
            {"name": "d", "type": "integer", "required": true},
            {"name": "e", "type": "string", "multiValued": true}]}]},
    {"name": "s"}]}');
SELECT judged('{"b": {"c": {"d": 1, "e": ["x"]}}}', '{"B": {"C": {"D": 1}}, "S": "x"}',
    '{"b": {"c": {"d": "1"}}}', '{"b": {"c": {"e": ["x"]}}}', '{"b": {"c": {"d": 1, "e": [1]}}}',
    '{"b": {"c": {"d": 1, "z": 1}}}', '{"b": 1}', '{}', '{"b": {"c": {}}}', '{"b": null}', '[]');
SELECT judged('{"s": "x", "b": {"c": {"d": 1}}}');
SELECT put('{"a": {"b": {"c": {"d": 2}}}}');
SELECT patch('{"a": {"b": {"c": {"e": ["y"]}}}}');
SELECT changed FROM words_history ORDER BY version DESC LIMIT 2;

-- multi-valued, of each type
SELECT attribute('{"type": "string", "multiValued": true}');
SELECT judged('["x", "y", "x"]', '[]', '"x"', '["x", 1]', '[null]', '[["x"]]', 'null');
SELECT attribute('{"type": "boolean", "multiValued": true}');
SELECT judged('[true, false]', '["true"]');
SELECT attribute('{"type": "decimal", "multiValued": true}');
SELECT judged('[1, 2.5]', '["1"]');
SELECT attribute('{"type": "integer", "multiValued": true}');
SELECT judged('[1, 2]', '[1.5]');
SELECT attribute('{"type": "dateTime", "multiValued": true}');
SELECT judged('["2026-01-31T12:00:00Z"]', '["2026-01-31T12:00:00Z", "x"]');
SELECT attribute('{"type": "binary", "multiValued": true}');
SELECT judged('["aGVsbG8="]', '["%"]');
SELECT attribute('{"type": "reference", "multiValued": true}');
SELECT judged('["../Users/1"]', '[{}]');
SELECT attribute('{"type": "any", "multiValued": true}');
SELECT judged('[1, "x", {"y": null}]', '1');
SELECT attribute('{"type": "complex", "multiValued": true, "subAttributes": [
    {"name": "value"}, {"name": "primary", "type": "boolean"}]}');
SELECT judged('[{"value": "x", "primary": true}, {"value": "y"}]', '[{"VALUE": "x"}]',
    '[{"value": "x", "primary": true}, {"value": "y", "primary": true}]',
    '[{"value": "x", "primary": true}, {"value": "y", "primary": false}]',
    '{"value": "x"}', '["x"]', '[{"value": 1}]');

--
-- required
--
SELECT attribute('{"required": true}');
SELECT judged('"x"', 'null');
SELECT outcome($$SELECT userstore.user_create('words', '{}', 'v')$$);
SELECT judged('"x"');
SELECT put('{}');
SELECT put('{"a": null}');
SELECT patch('{"a": null}');
SELECT patch('{}');
SELECT attribute('{"required": true, "multiValued": true}');
SELECT judged('["x"]', '[]');
-- in an item of a multi-valued attribute
SELECT attribute('{"type": "complex", "multiValued": true, "subAttributes": [
    {"name": "value", "required": true}, {"name": "type"}]}');
SELECT judged('[{"value": "x"}]', '[{"value": "x"}, {"type": "y"}]');
-- a readOnly attribute is ours to fill in
SELECT attribute('{"required": true, "mutability": "readOnly"}');
SELECT judged('null');

--
-- canonicalValues: suggestions, never enforced
--
SELECT attribute('{"canonicalValues": ["work", "home"]}');
SELECT judged('"work"', '"elsewhere"');

--
-- enum, and caseExact
--
SELECT attribute('{"enum": ["on", "off"]}');
SELECT judged('"on"', '"OFF"', '"away"', '""');
SELECT attribute('{"enum": ["on", "off"], "caseExact": true}');
SELECT judged('"on"', '"OFF"');
SELECT attribute('{"type": "integer", "enum": [1, 2]}');
SELECT judged('1', '2.0', '3');
SELECT attribute('{"enum": ["on", "off"], "multiValued": true}');
SELECT judged('["on", "off"]', '["on", "away"]');

--
-- mutability
--
SELECT attribute('{"mutability": "readWrite"}');
SELECT judged('"x"');
SELECT put('{"a": "y"}');
SELECT put('{}');
SELECT attribute('{"mutability": "readOnly"}');
SELECT judged('"x"');
UPDATE words SET document = '{"a": "ours"}';
SELECT put('{"a": "x"}');
SELECT put('{"a": null}');
SELECT put('{}');
SELECT patch('{"a": "x"}');
SELECT attribute('{"mutability": "immutable"}');
SELECT judged('"x"');
SELECT put('{"a": "x"}');
SELECT put('{"a": "y"}');
SELECT put('{"a": null}');
SELECT put('{}');
SELECT patch('{"a": "y"}');
SELECT patch('{"a": null}');
SELECT patch('{"a": "x"}');
DELETE FROM words;
SELECT userstore.user_create('words', '{}', 'u') -> 'a';
SELECT patch('{"a": "set once"}');
SELECT put('{"a": "twice"}');
-- writeOnly: kept when it is left out
SELECT attribute('{"mutability": "writeOnly", "returned": "never"}');
SELECT judged('"x"');
SELECT put('{}');
SELECT stored();
SELECT put('{"a": "y"}');
SELECT stored();
SELECT put('{"a": null}');
SELECT stored();
-- in a part of a complex attribute
SELECT attribute('{"type": "complex", "subAttributes": [
    {"name": "value"}, {"name": "display", "mutability": "readOnly"},
    {"name": "once", "mutability": "immutable"}]}');
SELECT judged('{"value": "1", "display": "sent", "once": "x"}');
UPDATE words SET document = '{"a": {"value": "1", "display": "One", "once": "x"}}';
SELECT put('{"a": {"value": "1"}}');
SELECT put('{"a": {"value": "1", "once": "y"}}');
SELECT put('{"a": {"value": "2"}}');  -- the display of another value is not kept

--
-- returned
--
CREATE FUNCTION shown(attributes text[], excluded text[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT userstore.user_get('words', 'u', attributes, excluded) - '{id,meta}'::text[]
$$;
SELECT userstore.attribute_schema_define('{"id": "urn:regress:words", "attributes": [
    {"name": "byDefault", "returned": "default"}, {"name": "always", "returned": "always"},
    {"name": "never", "returned": "never"}, {"name": "request", "returned": "request"},
    {"name": "c", "type": "complex", "subAttributes": [
        {"name": "byDefault"}, {"name": "always", "returned": "always"},
        {"name": "never", "returned": "never"}, {"name": "request", "returned": "request"}]}]}');
DELETE FROM words;
SELECT userstore.user_create('words', '{"byDefault": "1", "always": "2", "never": "3", "request": "4",
    "c": {"byDefault": "1", "always": "2", "never": "3", "request": "4"}}', 'u') - '{id,meta}'::text[];
SELECT shown(NULL, NULL);
SELECT shown('{byDefault}', NULL);
SELECT shown('{request,never}', NULL);
SELECT shown('{c.request}', NULL);
SELECT shown(NULL, '{byDefault,always,c.byDefault,c.always}');
SELECT shown(NULL, '{c}');

--
-- uniqueness is shown in the topic table
--

--
-- default
--
SELECT attribute('{"default": "x"}');
SELECT judged('"y"', 'null');
DELETE FROM words;
SELECT userstore.user_create('words', '{}', 'u') -> 'a';
SELECT put('{}');
SELECT attribute('{"type": "complex", "multiValued": true, "subAttributes": [
    {"name": "value"}, {"name": "type", "default": "work"}, {"name": "rank", "type": "integer", "default": 1}]}');
SELECT judged('[{"value": "x"}, {"value": "y", "type": "home"}, {"value": "z", "rank": null}]');

--
-- format: good values, then bad ones
--
SELECT attribute('{"format": "email"}');
SELECT judged('"ann@example.com"', '"a.b+c@mail.example.com"', '"\"a b\"@example.com"', '"ann@[192.0.2.1]"',
    '"ann@[IPv6:2001:db8::1]"', '"änn@exämple.com"');
SELECT judged('"ann"', '"@example.com"', '"ann@"', '"ann@example"', '"a..b@example.com"', '"a b@example.com"',
    '"ann@-example.com"', '"ann@example.com."', '"ann@ex@ample.com"');
SELECT attribute('{"format": "idn-email"}');
SELECT judged('"änn@exämple.com"', '"ann"');
SELECT attribute('{"format": "date"}');
SELECT judged('"2026-01-31"', '"2024-02-29"', '"2000-02-29"');
SELECT judged('"2026-02-29"', '"1900-02-29"', '"2026-13-01"', '"2026-1-1"', '"2026-01-31T00:00:00Z"');
SELECT attribute('{"format": "time"}');
SELECT judged('"12:00:00Z"', '"23:59:60.5+01:00"');
SELECT judged('"12:00:00"', '"24:00:00Z"', '"12:00Z"', '"12:00:00.Z"', '"12:00:00+24:00"');
SELECT attribute('{"format": "date-time"}');
SELECT judged('"2026-01-31T12:00:00Z"', '"2026-01-31t12:00:00.5+01:00"', '"2026-01-31 12:00:00z"');
SELECT judged('"2026-01-31T12:00:00"', '"2026-01-31"', '"2026-02-30T12:00:00Z"');
SELECT attribute('{"format": "hostname"}');
SELECT judged('"www.example.com"', '"localhost"', '"1and1.example"', '"exämple.com"');
SELECT judged('"-a.example"', '"a-.example"', '"a..b"', '"a_b"', '""');
SELECT attribute('{"format": "ipv4"}');
SELECT judged('"192.0.2.1"', '"192.0.2.256"', '"192.0.2"', '"::1"');
SELECT attribute('{"format": "ipv6"}');
SELECT judged('"2001:db8::1"', '"::ffff:192.0.2.1"', '"2001:db8::1::2"', '"192.0.2.1"');
SELECT attribute('{"format": "uri"}');
SELECT judged('"https://example.com/a?b#c"', '"urn:x:y"', '"mailto:ann@example.com"', '"/users/1"', '"https://a b"', '"x:%zz"', '"x:"');
SELECT attribute('{"format": "uri-reference"}');
SELECT judged('"/users/1"', '"https://example.com/"', '""', '"a b"', '"%4"');
SELECT attribute('{"format": "uuid"}');
SELECT judged('"4ae68f98-2762-4001-b95c-34569b413e8e"', '"4AE68F98-2762-4001-B95C-34569B413E8E"',
    '"4ae68f9827624001b95c34569b413e8e"', '"4ae68f98-2762-4001-b95c-34569b413e8g"');
SELECT attribute('{"format": "object-id"}');
SELECT judged('"507f1f77bcf86cd799439011"', '"507f1f77bcf86cd79943901"', '"507f1f77bcf86cd79943901g"');
-- passwords are not stored in documents: see password.sql
SELECT attribute('{"format": "password", "mutability": "writeOnly", "returned": "never"}');
SELECT judged('"secret"', 'null');

--
-- pattern, minLength, maxLength: characters, not bytes
--
SELECT attribute('{"pattern": "^[a-z]+$"}');
SELECT judged('"abc"', '"ABC"', '"a1"', '""');
SELECT attribute('{"pattern": "b"}');  -- not anchored
SELECT judged('"abc"', '"ac"');
SELECT attribute('{"minLength": 3, "maxLength": 5}');
SELECT judged('"äöü"', '"äöüäö"', '"日本語"', '"äö"', '"äöüäöü"', '"abcdef"');
SELECT attribute('{"minLength": 2, "multiValued": true}');
SELECT judged('["ab", "cd"]', '["ab", "c"]');

--
-- minimum, maximum
--
SELECT attribute('{"type": "integer", "minimum": 1, "maximum": 10}');
SELECT judged('1', '10', '0', '11');
SELECT attribute('{"type": "decimal", "minimum": -0.5, "maximum": 0.5}');
SELECT judged('-0.5', '0.50', '-0.51', '0.500001');

--
-- dependentRequired, judged on the value as it was sent
--
SELECT attribute('{"type": "complex", "dependentRequired": {"x": ["y"]}, "subAttributes": [
    {"name": "x"}, {"name": "y"}, {"name": "z"}]}');
SELECT judged('{"x": "1", "y": "2"}', '{"y": "2"}', '{"z": "3"}', '{"X": "1", "Y": "2"}', '{"x": "1"}', '{"x": "1", "y": null}');
SELECT judged('{"x": "1", "y": "2"}');
SELECT patch('{"a": {"x": "3"}}');
SELECT patch('{"a": {"x": "3", "y": "4"}}');
SELECT patch('{"a": {"z": "5"}}');
SELECT put('{"a": {"x": "1"}}');

--
-- key: a partial update merges item by item
--
SELECT attribute('{"type": "complex", "multiValued": true, "key": "k", "subAttributes": [
    {"name": "k", "required": true, "caseExact": true}, {"name": "v", "type": "any"}]}');
SELECT judged('[{"k": "x", "v": 1}, {"k": "y", "v": 2}]');
SELECT patch('{"a": [{"k": "y", "v": 3}, {"k": "z", "v": [4]}]}');
SELECT patch('{"a": [{"k": "x", "v": null}]}');
SELECT patch('{"a": [{"v": 1}]}');
SELECT patch('{"a": []}');
SELECT (SELECT changed FROM words_history ORDER BY version DESC LIMIT 1);
SELECT put('{"a": [{"k": "q", "v": 1}]}');  -- PUT replaces all
SELECT put('{"a": [{"k": "q", "v": 1}, {"k": "q", "v": 2}]}');
SELECT patch('{"a": null}');

--
-- lookup: the value decides, the list supplies what is displayed
--
SELECT attribute('{"type": "complex", "lookup": [
    {"value": 1, "displayValue": "Active"}, {"value": 2, "displayValue": "Inactive"}],
    "subAttributes": [{"name": "value", "type": "integer"}, {"name": "displayValue"}]}');
SELECT judged('{"value": 1}', '{"value": 2, "displayValue": "Active"}', '{"displayValue": "Inactive"}',
    '{"value": 3}', '{"displayValue": "Gone"}', '{"value": "1"}');
SELECT judged('{"value": 1}');
SELECT patch('{"a": {"value": 2}}');
SELECT put('{"a": {"displayValue": "Active"}}');

--
-- absent: what a replace does with an attribute that is left out
--
SELECT attribute('{"absent": "remove", "default": "d"}');
SELECT judged('"x"');
SELECT put('{}');
SELECT attribute('{"absent": "blank", "default": "d"}');
SELECT judged('"x"');
SELECT put('{}');
SELECT attribute('{"absent": "blank", "format": "email", "minLength": 3}');  -- a blank is exempt
SELECT judged('"ann@example.com"');
SELECT put('{}');
SELECT put('{"a": ""}');  -- what was answered may be sent back
SELECT put('{"a": "b"}');
SELECT put('{"a": null}');
SELECT put('{}');  -- nothing to blank
SELECT attribute('{"absent": "blank", "type": "integer"}');  -- only strings have a blank
SELECT judged('1');
SELECT put('{}');
SELECT attribute('{"absent": "blank", "multiValued": true}');
SELECT judged('["x"]');
SELECT put('{}');
SELECT attribute('{"absent": "default", "default": "d"}');
SELECT judged('"x"');
SELECT put('{}');
SELECT put('{"a": null}');  -- cleared, not left out
SELECT attribute('{"absent": "keep"}');
SELECT judged('"x"');
SELECT put('{}');
SELECT put('{"a": null}');
-- of parts of a complex value that was sent
SELECT attribute('{"type": "complex", "subAttributes": [
    {"name": "r", "absent": "remove"}, {"name": "b", "absent": "blank"},
    {"name": "d", "absent": "default", "default": "D"}, {"name": "k", "absent": "keep"}, {"name": "x"}]}');
SELECT judged('{"r": "1", "b": "2", "d": "3", "k": "4"}');
SELECT put('{"a": {"x": "5"}}');
SELECT attribute('{"absent": "blank", "required": true}');
SELECT judged('"x"');
SELECT put('{}');  -- a blank is no value

--
-- defaultFrom, primaryWhenOnly
--
SELECT attribute('{"type": "complex", "multiValued": true, "subAttributes": [
    {"name": "value"}, {"name": "display", "defaultFrom": "value"},
    {"name": "primary", "type": "boolean", "primaryWhenOnly": true}]}');
SELECT judged('[{"value": "x"}]', '[{"value": "x", "display": "X", "primary": false}]',
    '[{"value": "x"}, {"value": "y"}]', '[{"primary": false}]', '[{"value": "x", "display": null}]');

--
-- computed goes with readOnly only
--
SELECT attribute('{"computed": "regress_words.groups", "mutability": "readOnly"}');
SELECT judged('"x"');
SELECT outcome($$SELECT attribute('{"computed": "regress_words.groups"}')$$);

--
-- Words in any case; null is no word; words of others are passed over with a NOTICE
--
SELECT attribute('{"TYPE": "Integer", "minimum": null, "MAXIMUM": 3, "x-of-others": {"y": 1}}');
SELECT judged('3', '4', '"x"');

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP SCHEMA regress_words CASCADE;
SELECT userstore.api_profile_drop('regress_words');
SELECT userstore.attribute_schema_drop('urn:regress:words');
DROP ROLE regress_words;
