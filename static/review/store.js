// What a reviewer gave is kept in this browser until the server says that it has it: drafts by task, and an outbox of what was
// sent but not yet acknowledged. Every entry has a name of its own, so the server keeps it once however often it is sent.
const RETRY = [1, 2, 4, 8, 15]; // seconds
const place = (person, kind, name) => `distillery-review ${person} ${kind} ${name}`;

function put(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    return false; // private windows and full ones; the page says so
  }
  return true;
}

const get = (key) => JSON.parse(localStorage.getItem(key) ?? "null");

export const uuid = () =>
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) => (digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (digit / 4)))).toString(16));

export class Drafts {
  constructor(person) {
    this.person = person;
  }
  key(task) {
    return place(this.person, "draft", task);
  }
  read(task) {
    return get(this.key(task));
  }
  write(task, draft) {
    return put(this.key(task), { ...draft, at: Date.now() });
  }
  drop(task) {
    localStorage.removeItem(this.key(task));
  }
}

// The form's own token may be older than the last sign-in, so the cookie's is sent.
function token(cookie) {
  const found = document.cookie.split("; ").find((one) => one.startsWith(`${cookie}=`));
  return found ? found.slice(cookie.length + 1) : "";
}

export function post(url, body, cookie) {
  const headers = { "X-CSRFToken": token(cookie) };
  return fetch(url, { method: "POST", body: new URLSearchParams([...body, ["part", "1"]]), headers, redirect: "manual" });
}

// What became of an answer: kept, or why not, and whether sending it again by itself can help.
async function outcome(answer) {
  if (answer.type === "opaqueredirect") return { again: true, why: "signed out" };
  if (answer.ok) return { kept: true, html: await answer.text() };
  if (answer.status >= 500 || answer.status === 429) return { again: true, why: "unreachable" };
  if (answer.status === 404) return { why: "The article was taken out of the queue meanwhile." };
  if (answer.status === 403) return { why: "You may not review this filter any more, or you signed in again: reload the page." };
  return { html: await answer.text(), refused: answer.status };
}

export class Outbox {
  constructor(person, cookie, drafts, changed) {
    Object.assign(this, { person, cookie, drafts, changed, tries: 0, why: "", waiting: new Map() });
    for (const event of ["online", "focus"]) addEventListener(event, () => this.pump());
  }
  get entries() {
    const start = place(this.person, "unsent", "");
    return Object.keys(localStorage).filter((key) => key.startsWith(start)).map(get).filter(Boolean).sort((a, b) => a.at - b.at);
  }
  get unsent() {
    return this.entries.filter((entry) => !entry.problem);
  }
  key(entry) {
    return place(this.person, "unsent", entry.id);
  }
  // Resolves once the server has said something that stands.
  add(entry) {
    put(this.key(entry), { ...entry, at: Date.now() });
    const said = new Promise((resolve) => this.waiting.set(entry.id, resolve));
    if (!get(this.key(entry))) this.held = entry; // this browser keeps nothing: at least send it now
    this.pump();
    return said;
  }
  drop(entry) {
    localStorage.removeItem(this.key(entry));
    this.changed();
  }
  again(entry) {
    put(this.key(entry), { ...entry, problem: undefined });
    this.pump();
  }
  async pump() {
    clearTimeout(this.timer);
    if (this.busy) return;
    this.busy = true;
    for (let entry; (entry = this.held ?? this.unsent[0]); ) if (!(await this.send(entry))) break;
    this.busy = false;
    const left = this.unsent.length;
    if (left) this.timer = setTimeout(() => this.pump(), 1000 * RETRY[Math.min(this.tries++, RETRY.length - 1)]);
    else this.tries = 0;
    this.changed();
  }
  async send(entry) {
    const said = await post(entry.url, entry.body, this.cookie).then(outcome, () => ({ again: true, why: "unreachable" }));
    this.why = said.again ? said.why : "";
    if (said.again) return false;
    this.held = null;
    if (said.kept) this.close(entry);
    else put(this.key(entry), { ...entry, problem: said.why ?? problems(said.html) });
    this.tries = 0;
    this.waiting.get(entry.id)?.(said);
    this.waiting.delete(entry.id);
    return true;
  }
  close(entry) {
    localStorage.removeItem(this.key(entry));
    if (entry.kind !== "finish") this.drafts.drop(entry.task);
  }
}

export function parse(html) {
  return new DOMParser().parseFromString(html, "text/html").querySelector("#desk");
}

function problems(html) {
  return parse(html)?.querySelector("[data-problems]")?.textContent.trim() || "It could not be kept.";
}
