// Many clients of one web app at once, for test/long/web_load.pl: each counts up
// a value of its own inside users whom it shares with others, by PATCH, or by GET
// and PUT with If-Match, and looks whether its last number is there.
//
// usage: node web_load.js URL TOKEN SECONDS CLIENTS USER...
// Prints as JSON what was answered, and which number each client has reached.

const http = require('http');

const [url, token, seconds, clients, ...users] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(clients) });
const deadline = Date.now() + seconds * 1000;
const result = { answers: {}, wrong: [], reached: {}, sockets: 0 };

function request(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = http.request(url + path, { method, agent, headers: {
      Authorization: `Bearer ${token}`, 'Content-Type': 'application/scim+json', ...headers } }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        const kind = `${method} ${answer.statusCode}`;
        const text = Buffer.concat(parts).toString();
        result.answers[kind] = (result.answers[kind] ?? 0) + 1;
        resolve({ status: answer.statusCode, etag: answer.headers.etag, text, user: text && JSON.parse(text) });
      });
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}

const wrong = (what, answer) => {
  if (result.wrong.length < 20) result.wrong.push(`${what}: ${JSON.stringify(answer)}`);
};
const own = (user, client) => user.entitlements.find((entitlement) => entitlement.value === client);

async function patch(path, client, n) {
  const body = { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations: [{ op: 'replace', path: `entitlements[value eq "${client}"].display`, value: String(n) }] };
  const headers = { 'Idempotency-Key': `${client} ${n}` };
  const answer = await request('PATCH', path, body, headers);
  if (answer.status !== 200 || own(answer.user, client).display !== String(n)) return wrong('PATCH', answer);
  if (n % 5 === 0) { // as after an answer that was lost
    const again = await request('PATCH', path, body, headers);
    if (again.status !== 200 || again.text !== answer.text) wrong('PATCH again', [answer, again]);
  }
  return true;
}

async function put(path, client, n) {
  for (;;) {
    const { user, etag } = await request('GET', path);
    own(user, client).display = String(n);
    const answer = await request('PUT', path, user, { 'If-Match': etag });
    if (answer.status === 412) continue;
    if (answer.status !== 200 || own(answer.user, client).display !== String(n)) return wrong('PUT', answer);
    return true;
  }
}

async function work(index) {
  const client = `c${index}`;
  const path = `/Users/${users[index % users.length]}`;
  for (let n = 1; Date.now() < deadline; n++) {
    if (!await (n % 3 === 0 ? put : patch)(path, client, n)) return;
    result.reached[client] = n;
    const answer = await request('GET', path);
    if (answer.status !== 200 || own(answer.user, client).display !== String(n)) return wrong('GET', answer);
  }
}

(async () => {
  const workers = Array.from({ length: Number(clients) }, (_, index) => work(index));
  setTimeout(() => { result.sockets = Object.values(agent.sockets).flat().length + Object.values(agent.freeSockets).flat().length; }, seconds * 500);
  await Promise.all(workers);
  console.log(JSON.stringify(result));
  process.exit();
})();
