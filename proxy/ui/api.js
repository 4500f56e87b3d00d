// Asks this proxy, with the key of this tab.

const KEY = "moos-key";
export const key = () => sessionStorage.getItem(KEY) ?? "";
export const keep = (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY));

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (key()) headers.authorization = `Bearer ${key()}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, credentials: "omit", cache: "no-store" });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Refused(0, "The proxy does not answer. Is it running?");
  }
  return answer;
}

async function read(answer) {
  let body = null;
  try {
    body = await answer.json();
  } catch {
    throw new Refused(answer.status, `The proxy answered ${answer.status} without JSON.`);
  }
  if (answer.ok) return body;
  throw new Refused(answer.status, body?.error?.message ?? `The proxy answered ${answer.status}.`);
}

export const get = async (path) => read(await ask(path));

export const text = async (path) => (await ask(path)).text();

/** Readiness is told with status 503, too. */
export const health = async () => (await ask("/readyz")).json();

/** Gives the answer's body and its headers. */
export async function post(path, body, headers = {}, signal = undefined) {
  const answer = await ask(path, {
    method: "POST", signal, body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers },
  });
  return { body: await read(answer), headers: answer.headers };
}
