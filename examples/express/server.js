// A web app with user APIs that are one call of userstore.user_request each, and
// a page of its own that lists the same users by plain SQL.

import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import compression from 'compression';
import express from 'express';
import pg from 'pg';

// Where an API is mounted: the user table, and the API profile that serves it.
const apis = {
  '/scim/v2': ['people', 'web_scim'],
  '/entra/scim/v2': ['people', 'web_entra'],
  '/okta/scim/v2': ['people', 'web_okta'],
  '/zuora/scim/v2': ['subscribers', 'web_zuora'],
  '/zluri': ['staff', 'web_zluri'],
  '/rest/v19': ['parties', 'web_cpq'],
  '/iam/governance/selfservice/api/v1': ['identities', 'web_oig'],
};

// Who the callers are: TOKENS='{"a secret token": {"role": "people_admin", "client": "directory"}}'.
// PostgreSQL decides what the role may do; idempotency keys belong to role and client.
const digest = (token) => createHash('sha256').update(token).digest();
const callers = Object.entries(JSON.parse(process.env.TOKENS ?? '{}'))
  .map(([token, caller]) => ({ ...caller, digest: digest(token) }));

// The token of a request: a bearer token, the password of Basic authentication
// (browsers, and Oracle's curl example), or Zluri's header.
function token({ authorization = '', 'api-key': key = '' }) {
  const [, scheme, credentials] = /^(bearer|basic) +(.*)$/i.exec(authorization) ?? [];
  if (!scheme) return key;
  if (scheme.toLowerCase() === 'bearer') return credentials;
  return Buffer.from(credentials, 'base64').toString().replace(/^[^:]*:/, '');
}

// What the app itself has to say, in the form of SCIM.
function sendError(res, status, detail) {
  res.status(status).type('application/scim+json').send(JSON.stringify({
    schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: String(status), detail,
  }));
}

function authenticate(req, res, next) {
  const sent = digest(token(req.headers));
  req.caller = callers.find((caller) => timingSafeEqual(caller.digest, sent));
  if (req.caller) return next();
  res.set('WWW-Authenticate', ['Bearer', 'Basic realm="users"']);
  sendError(res, 401, 'a token of this application is needed');
}

// PGHOST, PGDATABASE, PGUSER … say where the database is.
const pool = new pg.Pool({ max: Number(process.env.POOL_SIZE ?? 10), statement_timeout: 30_000 });
pool.on('error', (error) => console.error(error.message)); // of a connection that was idle

// A transaction as the caller; the settings end with it, so the next user of the
// connection does not inherit them.  What lost against another one is repeated.
async function transaction(caller, work) {
  for (let attempt = 1; ; attempt++) {
    const client = await pool.connect();
    let broken;
    try {
      await client.query(`BEGIN; SET LOCAL ROLE ${client.escapeIdentifier(caller.role)};
        SET LOCAL userstore.client = ${client.escapeLiteral(caller.client)}`);
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((reason) => { broken = reason; });
      if (attempt === 8 || !['40001', '40P01'].includes(error.code)) throw error;
    } finally {
      client.release(broken);
    }
    await sleep(Math.random() * 10 * 2 ** attempt);
  }
}

const app = express().disable('x-powered-by').disable('etag');
app.use(compression({ threshold: 1000 }), authenticate);

// A body as text.  What is no UTF-8, or has a zero, no text of the database can be;
// as a control character it is no JSON there, as it is none here (RFC 8259).
const utf8 = new TextDecoder('utf-8', { fatal: true });
function text(body) {
  try {
    return Buffer.isBuffer(body) ? utf8.decode(body).replaceAll('\0', '\x01') : null;
  } catch {
    return '\x01';
  }
}

// The one route.  The body goes to the database as it came (unpacked, if it was
// compressed): what it means, and whether it is JSON at all, is judged there.
app.use(Object.keys(apis), express.raw({ type: () => true, limit: '10mb' }), async (req, res) => {
  const { authorization, 'api-key': key, cookie, ...headers } = req.headers; // secrets stay here
  const [table, api] = apis[req.baseUrl.toLowerCase()];
  const { rows: [answer] } = await transaction(req.caller, (client) => client.query({
    name: 'user_request',
    text: 'SELECT status, headers, body::text FROM userstore.user_request($1, $2, $3, $4, $5, $6)',
    values: [table, req.method, req.url, headers, text(req.body), api],
  }));
  res.status(answer.status).setHeaders(new Map(Object.entries(answer.headers)));
  res.end(answer.body ?? undefined);
});

const escape = (text) => String(text ?? '').replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
app.get('/', async (req, res) => {
  const { rows } = await transaction(req.caller, (client) => client.query(`
    SELECT document ->> 'userName' AS name, document ->> 'displayName' AS "display name",
      document ->> 'active' AS active, version, to_char(modified_at, 'YYYY-MM-DD HH24:MI') AS "last change"
    FROM people ORDER BY modified_at DESC LIMIT 100`));
  const line = (cell, values) => `<tr>${values.map((value) => `<${cell}>${escape(value)}`).join('')}\n`;
  res.send(`<!doctype html><html lang="en"><meta charset="utf-8"><title>People</title><h1>People</h1><table>
${line('th', Object.keys(rows[0] ?? {}))}${rows.map((row) => line('td', Object.values(row))).join('')}</table>\n`);
});

// What did not come from user_request: a body too large or badly compressed; a
// database that is away or ended the statement, a transaction that always lost.
app.use((error, req, res, next) => {
  const status = error.status ?? (/^(08|40|53|57|ECONN|ENOENT)/.test(error.code ?? '08') ? 503 : 500);
  if (status >= 500) console.error(error);
  if (status === 503) res.set('Retry-After', '1');
  sendError(res, status, status < 500 ? error.message : 'the request could not be done; try again later');
});

const port = Number(process.env.PORT ?? 3000);
const server = app.listen(port, process.env.HOST ?? '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`listening on http://localhost:${port}`);
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close(() => pool.end());
    server.closeIdleConnections();
  });
}
