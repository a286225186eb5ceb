/*
 * The API profiles that ship.  What they do is said here alone: a copy under
 * another name behaves the same.
 */
INSERT INTO userstore.api_profile (shipped, name, body, put_creates, unknown_attributes)
VALUES (true, 'plain', 'object', true, 'keep');

-- RFC 7644, strict
INSERT INTO userstore.api_profile (shipped, name, body, schemas, unknown_attributes)
VALUES (true, 'scim', 'scim', ARRAY[
	'urn:ietf:params:scim:schemas:core:2.0:User',
	'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'], 'reject');

-- Microsoft Entra ID and Okta, as their provisioning really sends it: attributes
-- that nobody here knows, "True" for true, dotted names, bare strings for complex
-- values (doc/scim.md)
INSERT INTO userstore.api_profile (shipped, name, body, schemas, unknown_attributes, lenient)
SELECT true, name, 'scim', ARRAY[
	'urn:ietf:params:scim:schemas:core:2.0:User',
	'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'], 'ignore', true
FROM (VALUES ('entra'), ('okta')) p (name);

-- PUT blanks what it leaves out, but neither locks out nor lets in by leaving
-- out active; an e-mail is completed as the published samples show
INSERT INTO userstore.api_profile (shipped, name, body, schemas, absent, unknown_attributes, clear_token, lenient, resources_member, rules)
VALUES (true, 'zuora', 'scim', ARRAY[
	'urn:ietf:params:scim:schemas:core:2.0:User',
	'urn:zuora:scim:schemas:1.0:UserExtension'], 'blank', 'ignore', ' ', true, 'resources', '{
	"active": {"absent": "keep"},
	"emails.display": {"defaultFrom": "value"},
	"emails.type": {"default": "work"},
	"emails.primary": {"primaryWhenOnly": true}}');

INSERT INTO userstore.api_profile (shipped, name, body, schemas, put, unknown_attributes, error_body)
VALUES (true, 'zluri', 'object', ARRAY['urn:userstore:params:schemas:zluri:User'], 'merge', 'reject', 'field');

INSERT INTO userstore.api_profile (shipped, name, body, schemas, put, unknown_attributes, statuses)
VALUES (true, 'oig', 'fields', ARRAY['urn:userstore:params:schemas:oig:User'], 'merge', 'reject', '{
	"enable": {"Status": "Active"},
	"disable": {"Status": "Disabled"},
	"lock": {"Account Status": "Locked"},
	"unlock": {"Account Status": "Unlocked"}}');

-- users are never deleted, only inactivated; updates are answered with the
-- page's three members
INSERT INTO userstore.api_profile (shipped, name, body, schemas, put_creates, absent, unknown_attributes, answer, on_delete, error_body,
	ui_metadata)
VALUES (true, 'cpq', 'object', ARRAY['urn:userstore:params:schemas:cpq:19:User'], true, 'default', 'reject',
	ARRAY['login', 'firstName', 'lastName'], 'refuse', 'problem', 'cpq_ui_metadata');

-- the same for requests with uiMetadata=true, which shows more of segments
INSERT INTO userstore.api_profile (shipped, name, body, schemas, put_creates, absent, unknown_attributes, answer, on_delete, error_body,
	rules)
VALUES (true, 'cpq_ui_metadata', 'object', ARRAY['urn:userstore:params:schemas:cpq:19:User'], true, 'default', 'reject',
	ARRAY['login', 'firstName', 'lastName'], 'refuse', 'problem', '{
	"groups.items.segments.items.icon": {"returned": "default"},
	"groups.items.segments.items.status": {"returned": "default"},
	"groups.items.segments.items.segments.items.icon": {"returned": "default"},
	"groups.items.segments.items.segments.items.status": {"returned": "default"}}');
