// The review desk: one article after another without waiting. The next one is loaded while this one is read; what is kept goes
// through the outbox. Without this file the same page works as a plain form.
import { Passages } from "./passages.js";
import { Sheet } from "./sheet.js";
import { Drafts, Outbox, parse, post, uuid } from "./store.js";

const BEAT = 120_000; // ms between two words to the server that the page is still open
const KEYS_OFF = "distillery-review keys off";
const $ = (selector, scope = document) => scope.querySelector(selector);
const shown = () => $("#desk");
const { person, csrf, signIn } = shown().dataset;
const drafts = new Drafts(person);
const outbox = new Outbox(person, csrf, drafts, tellUnsent);
let sheet, passages, submission, opened, ahead, awaited;

function say(text) {
  const place = $("#said");
  place.textContent = place.textContent === text ? `${text}\u00a0` : text; // the same words again are said again
}

// A new desk in place of the one before.
function show(desk, { leave = true } = {}) {
  shown().replaceWith(desk);
  if (leave) history.pushState({}, "", desk.dataset.url);
  document.title = `Review: ${desk.dataset.name} · Distillery`;
  start();
}

function start() {
  const desk = shown();
  const form = $("[data-sheet]", desk);
  desk.dataset.live = "";
  [sheet, passages, submission, opened] = [null, null, uuid(), { at: performance.now(), before: 0 }];
  if (form) {
    sheet = new Sheet(form, { changed: save, say });
    if (form.elements.evidence) passages = new Passages(desk, sheet, { changed: save, say });
    takeUp(desk);
  }
  dressKeys();
  setTimeout(loadAhead);
}

// Drafts. A draft names its submission, so that two tabs with one draft keep one review.
function save() {
  const desk = shown();
  if (!sheet || !["score", "refused"].includes(desk.dataset.state)) return;
  const kept = drafts.write(desk.dataset.task, { ...sheet.read(), evidence: passages.taken, seconds: seconds(), submission, text: sheet.form.elements.read.value });
  if (!kept) notice(desk, "This browser keeps no drafts here (a private window, or its storage is full): keep your scores before you close the page.");
}

function takeUp(desk) {
  const draft = drafts.read(desk.dataset.task);
  if (!draft || !["score", "refused"].includes(desk.dataset.state)) return;
  submission = draft.submission;
  opened.before = draft.seconds ?? 0;
  if (desk.dataset.state === "refused") $("[data-extra]", desk).open = true;
  if ($("[data-problems]", desk)) return; // an answer to what was just sent: it is laid out already
  sheet.fill(draft);
  passages.fill(draft.evidence ?? []);
  const changed = draft.text && draft.text !== sheet.form.elements.read.value;
  const minutes = Math.round((Date.now() - draft.at) / 60_000);
  notice(desk, `Taken up from your draft of ${minutes < 1 ? "just now" : `${minutes} min ago`}.${changed ? " The article's text was changed since: look at it again." : ""}`);
}

function notice(desk, text) {
  const place = $("[data-notice]", desk);
  place.textContent = text;
  place.hidden = !text;
  if (text) say(text);
}

function seconds() {
  return Math.round(10 * (opened.before + (performance.now() - opened.at) / 1000)) / 10;
}

function pauseClock() {
  opened = document.hidden ? { at: Infinity, before: seconds() } : { at: performance.now(), before: opened.before };
}

// Keeping, settling, skipping: all go through the outbox.
function entryOf(form, submitter, desk) {
  const { task, name } = desk.dataset;
  const { kind } = form.dataset;
  const own = new Set(["csrfmiddlewaretoken", "submission", "seconds"]);
  const body = [...new FormData(form, submitter?.name ? submitter : undefined)].filter(([field]) => !own.has(field));
  if (kind === "keep") body.push(["submission", submission], ["seconds", seconds()]);
  const id = kind === "keep" ? submission : `${kind} ${task}`;
  return { id, kind, task, name, url: form.action, page: desk.dataset.url, body };
}

function lacks() {
  const missing = sheet.missing;
  if (missing.length) {
    sheet.hold(missing[0]);
    const names = missing.map((place) => sheet.scales[place].dataset.name).join(", ");
    notice(shown(), `${missing.length === 1 ? "This has" : "These have"} no score yet: ${names}.`);
  } else if (sheet.tooLong) {
    sheet.hold(sheet.scales.length, { focus: false });
    sheet.comment.focus();
    notice(shown(), "The remark is too long. Nothing is lost: shorten it and keep your scores again.");
  }
  return missing.length > 0 || sheet.tooLong;
}

async function keep(form, event) {
  const desk = shown();
  if (lacks()) return;
  save();
  const entry = entryOf(form, event.submitter, desk);
  const said = outbox.add(entry);
  if (entry.kind === "finish" || desk.dataset.reveals === "no") return forward(event);
  const button = form.querySelector("[data-keep], .primary");
  button.setAttribute("aria-disabled", "true");
  awaited = entry.id;
  const answer = await said;
  awaited = null;
  const now = answer.html && parse(answer.html);
  if (now) outbox.drop(entry); // it is on the page now, with what is wrong with it
  if (shown() !== desk) return;
  if (!now) return button.removeAttribute("aria-disabled");
  show(now, { leave: false });
  const { state } = now.dataset;
  if (answer.refused) $("[data-problems]", now)?.focus();
  else if (state === "settle") settle();
  else $("[data-next] .primary", now)?.focus();
}

function settle() {
  sheet.hold(sheet.scales.length);
  if (matchMedia("(max-width: 1000px)").matches) $(".panel").scrollIntoView(); // where it stands below the text
  const lines = sheet.scales.map((scale) => `${scale.dataset.name}: ${$(".said", scale)?.textContent.replace(/\s+/g, " ") ?? "no score by the oracle"}`);
  say(`Kept. ${lines.join(". ")}. Enter confirms yours.`);
}

async function skip(form) {
  const entry = entryOf(form, null, shown());
  outbox.add(entry);
  drafts.drop(entry.task);
  forward();
}

// What comes next. Until the outbox is empty the server may not know that this article is done, and could give it again.
async function fetchNext() {
  const { task } = shown().dataset;
  const answer = await post($("[data-ahead]").dataset.ahead, [["after", task]], csrf).catch(() => null);
  if (!answer || answer.type === "opaqueredirect" || (!answer.ok && answer.status !== 404)) return { failed: true };
  const desk = answer.status === 200 ? parse(await answer.text()) : null;
  const again = desk && (desk.dataset.task === shown().dataset.task || outbox.entries.some((entry) => entry.task === desk.dataset.task));
  return { desk: again ? null : desk, again };
}

async function loadAhead() {
  if (ahead || outbox.unsent.length || !["score", "settle", "kept"].includes(shown().dataset.state)) return;
  const desk = shown();
  const said = (ahead = fetchNext());
  const found = await said;
  if (ahead !== said) return; // somebody went on meanwhile and took it
  ahead = found.desk && shown().dataset.task === desk.dataset.task ? found.desk : null;
}

async function forward(event) {
  const pressed = event?.timeStamp ?? performance.now();
  let next = await ahead;
  ahead = null;
  next = next instanceof Element ? next : next?.desk;
  if (!next) next = await patiently();
  if (!next) return location.assign($("[data-ahead]").dataset.queue);
  show(next);
  $("h1", next).focus({ preventScroll: true });
  scrollTo(0, Math.min(scrollY, next.getBoundingClientRect().top + scrollY - 16));
  say(`Next article: ${next.dataset.name}`);
  requestAnimationFrame(() => setTimeout(() => performance.measure("next article", { start: pressed, end: performance.now() })));
}

// Null: nothing waits. While the server can't be reached it goes on asking.
async function patiently() {
  const button = $("[data-keep], [data-do=forward]");
  button?.setAttribute("aria-disabled", "true");
  for (let wait = 0; ; wait = Math.min(wait + 1, 15)) {
    if (!outbox.unsent.length) {
      const found = await fetchNext();
      if (!found.failed && !found.again) return found.desk;
    }
    if (wait === 1) notice(shown(), "Yours is safe in this browser, but the next article can't be fetched yet: the server doesn't answer. Trying again.");
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(wait, 0.2)));
  }
}

// What isn't sent yet, and what the server refused.
function tellUnsent() {
  const place = $("#unsent");
  const entries = outbox.entries;
  const unsent = entries.filter((entry) => !entry.problem && (outbox.tries > 1 || outbox.why));
  const refused = entries.filter((entry) => entry.problem && entry.id !== awaited);
  const lines = refused.map(refusal);
  if (unsent.length) lines.unshift(waitingLine(unsent));
  place.replaceChildren(...lines);
  place.classList.toggle("bad", refused.length > 0);
  place.hidden = !lines.length;
  if (!outbox.unsent.length) setTimeout(loadAhead);
}

function line(...parts) {
  const place = document.createElement("p");
  place.append(...parts);
  return place;
}

function waitingLine(unsent) {
  const what = `${unsent.length === 1 ? `“${unsent[0].name}” is` : `${unsent.length} reviews are`} not sent yet, and safe in this browser. `;
  if (outbox.why !== "signed out") return line(what, "The server doesn't answer; it is tried again by itself. ", button("Try now", () => outbox.pump()));
  const link = Object.assign(document.createElement("a"), { href: signIn, target: "_blank", textContent: "Sign in in a new tab" });
  return line(what, "You are signed out. ", link, "; then it goes out by itself.");
}

function refusal(entry) {
  const open = Object.assign(document.createElement("a"), { href: entry.page, textContent: "Open it" });
  const copy = button("Copy it", () => navigator.clipboard?.writeText(entry.body.map(([name, value]) => `${name}: ${value}`).join("\n")));
  const drop = button("Drop it", () => { drafts.drop(entry.task); outbox.drop(entry); });
  return line(`“${entry.name}” was not kept: ${entry.problem} What you gave is still in this browser. `, open, " · ", button("Send again", () => outbox.again(entry)), " · ", copy, " · ", drop);
}

function button(text, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: "linklike", textContent: text });
  made.addEventListener("click", act);
  return made;
}

// Keys and buttons do the same things.
const DOES = {
  previous: () => sheet.hold(sheet.at - 1),
  next: () => sheet.hold(sheet.at + 1),
  lower: () => sheet.nudge(-0.5),
  raise: () => sheet.nudge(0.5),
  undo: () => sheet.undo(),
  evidence: () => passages?.start(),
  cant: () => sheet.score("none"),
  comment: () => sheet.comment.focus(),
  skip: () => { const fold = $("[data-skip]"); if (fold) { fold.open = true; $("input[name=reason]", fold).focus(); } },
  keys: () => { localStorage.setItem(KEYS_OFF, keysOff() ? "" : "yes"); dressKeys(); },
};
const KEYS = { k: "previous", j: "next", ArrowLeft: "lower", ArrowRight: "raise", u: "undo", e: "evidence", n: "cant", c: "comment", s: "skip" };
const keysOff = () => localStorage.getItem(KEYS_OFF) === "yes";

function dressKeys() {
  const button = $("[data-do=keys]");
  if (!button) return;
  button.setAttribute("aria-pressed", String(!keysOff()));
  button.textContent = keysOff() ? "Keys off" : "Keys on";
}

function byKey(event) {
  const { target, key } = event;
  const writes = target.matches("textarea, select, input:not([type=radio])");
  if (key === "Escape" && writes && sheet) return sheet.hold(sheet.at);
  if (key === "Enter" && (event.ctrlKey || event.metaKey) && sheet) return sheet.form.requestSubmit($("[data-keep], .primary", sheet.form));
  if (key === "z" && (event.ctrlKey || event.metaKey) && !writes && sheet) return done(event, () => sheet.undo());
  if (event.ctrlKey || event.metaKey || event.altKey || writes) return;
  if (passages?.picking) return passages.key(event) && event.preventDefault();
  if (key === "Enter") return enter(event);
  if (!sheet || (keysOff() && !(target.matches("[data-scale] input") && key.startsWith("Arrow")))) return;
  if (/^[0-9t]$/.test(key)) return done(event, () => sheet.score(key === "t" ? "10" : key));
  if (["ArrowUp", "ArrowDown"].includes(key) && target.matches("[data-scale] input")) return done(event, () => scrollBy({ top: key === "ArrowUp" ? -96 : 96 }));
  if (KEYS[key]) done(event, DOES[KEYS[key]]);
}

function done(event, act) {
  event.preventDefault();
  act();
}

// On a button or a link Enter is the browser's; anywhere else it goes one scale on, and in the end to the button.
function enter(event) {
  if (event.target.closest("a, button, summary")) return;
  if (!sheet) return done(event, () => $("[data-next]")?.requestSubmit());
  if (event.shiftKey) return done(event, DOES.previous);
  done(event, DOES.next);
}

document.addEventListener("keydown", byKey);
document.addEventListener("click", (event) => {
  const what = event.target.closest("[data-do]")?.dataset.do;
  if (DOES[what]) DOES[what]();
});
document.addEventListener("submit", (event) => {
  const { target: form } = event;
  if (!form.matches("[data-sheet], [data-kind=skip], [data-next]")) return;
  event.preventDefault();
  if (form.querySelector("[aria-disabled=true]")) return;
  if (form.matches("[data-next]")) forward(event);
  else if (form.dataset.kind === "skip") skip(form);
  else keep(form, event);
});
document.addEventListener("selectionchange", () => passages?.offer());
document.addEventListener("visibilitychange", pauseClock);

// Another tab has the same article: its draft is ours, and what it kept is kept.
addEventListener("storage", async (event) => {
  const desk = shown();
  if (event.key !== drafts.key(desk.dataset.task) || desk.dataset.state !== "score") return;
  const draft = drafts.read(desk.dataset.task);
  if (draft && sheet) return sheet.fill(draft), passages.fill(draft.evidence ?? []);
  const now = await fetch(`${desk.dataset.url}?part=1`).then((answer) => answer.text()).then(parse, () => null);
  if (!now || shown() !== desk) return;
  show(now, { leave: false });
  notice(shown(), "You went on with this article in another tab.");
});

setInterval(async () => {
  for (const desk of [shown(), ahead]) {
    if (desk?.dataset?.state !== "score") continue;
    const answer = await post(`${desk.dataset.url}beat`, [], csrf).catch(() => null);
    if (answer?.status !== 409) continue;
    if (desk === ahead) ahead = null;
    else notice(desk, `${await answer.text()} What you gave is still here, and you can keep it.`);
  }
}, BEAT);

addEventListener("popstate", () => location.reload());
addEventListener("pageshow", (event) => event.persisted && location.reload());
addEventListener("pagehide", () => {
  const left = [ahead, drafts.read(shown().dataset.task) ? null : shown()];
  for (const desk of left.filter((one) => one?.dataset?.state === "score")) {
    const token = $("[name=csrfmiddlewaretoken]", desk).value;
    navigator.sendBeacon(`${desk.dataset.url}release`, new URLSearchParams([["csrfmiddlewaretoken", token]]));
  }
});

start();
outbox.pump();
