// The rubric editor's comforts: dimensions move at once, by buttons or Alt and an arrow; what is typed is kept in this browser
// until it is saved. Without this file the same buttons work by sending the page.
const editor = document.querySelector("[data-editor]");
const place = `distillery-draft ${location.pathname}`;
const SENT = "distillery-sent";
const VISIT = "distillery-visit";
const MOST = 5; // drafts of one address

const typed = () => JSON.stringify([...new FormData(editor)].filter(([name]) => !["csrfmiddlewaretoken", "said", "base", "article"].includes(name)));
const changed = () => editor.dispatchEvent(new Event("input", { bubbles: true }));
const boxes = () => [...editor.querySelectorAll("#fields :is(input, textarea):not([type=hidden])")];
const isTick = (box) => box.type === "checkbox";
const nameOf = (box) => (isTick(box) ? `${box.name} ${box.value}` : box.name);
const said = (box) => (isTick(box) ? box.checked : box.value);
const touched = () => boxes().some((box) => said(box) !== (isTick(box) ? box.defaultChecked : box.defaultValue));

function move(button) {
  const part = button.closest("[data-part]");
  const up = button.dataset.move === "up";
  const other = up ? part.previousElementSibling : part.nextElementSibling;
  if (!other) return;
  if (up) other.before(part);
  else other.after(part);
  button.focus();
  const places = [...part.parentElement.children];
  document.querySelector("#moved").textContent = `Moved to place ${places.indexOf(part) + 1} of ${places.length}.`;
  changed();
}

function moveByKey(event) {
  const part = event.target.closest?.("[data-part]");
  const way = { ArrowUp: "up", ArrowDown: "down" }[event.key];
  if (!part || !way || !event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const input = document.activeElement;
  move(part.querySelector(`[data-move="${way}"]`));
  input.focus();
}

// Each visit keeps a draft of its own, newest first, so that what is typed now never takes the place of what was typed before.
// A visit goes on through the pages that answer its buttons.
const drafts = (where = place) => [JSON.parse(localStorage.getItem(where) ?? "[]")].flat();
const others = (visit, where = place) => drafts(where).filter((one) => one.visit !== visit);
const visit = () => Number(sessionStorage.getItem(VISIT));

function store(found, where = place) {
  if (found.length) localStorage.setItem(where, JSON.stringify(found.slice(0, MOST)));
  else localStorage.removeItem(where);
}

function keep() {
  store([{ visit: visit(), at: Date.now(), base: editor.elements.base.value, typed: typed() }, ...others(visit())]);
}

// What was kept is sent as a form of its own, so that the server lays it out as it does everything else.
function takeUp(kept) {
  store([...drafts().filter((one) => one.visit === kept.visit), ...others(kept.visit)]);
  sessionStorage.setItem(VISIT, kept.visit);
  const form = Object.assign(document.createElement("form"), { method: "post", hidden: true });
  const own = [["csrfmiddlewaretoken", editor.elements.csrfmiddlewaretoken.value], ["base", kept.base], ["do", "check"]];
  for (const [name, value] of [...JSON.parse(kept.typed), ...own]) {
    form.append(Object.assign(document.createElement("textarea"), { name, value }));
  }
  document.body.append(form);
  form.submit();
}

function offer(kept) {
  const notice = document.querySelector("#kept");
  const line = notice.querySelector("template").content.cloneNode(true).firstElementChild;
  const minutes = Math.round((Date.now() - kept.at) / 60000);
  const ago = minutes < 1 ? "just now" : minutes < 120 ? `${minutes} min ago` : new Date(kept.at).toLocaleString();
  line.querySelector("[data-when]").textContent = ago;
  line.querySelector("[data-take]").addEventListener("click", () => takeUp(kept));
  line.querySelector("[data-drop]").addEventListener("click", () => {
    store(others(kept.visit));
    line.remove();
    notice.hidden = !notice.querySelector("p");
  });
  notice.append(line);
  notice.hidden = false;
}

// What is typed while a button's answer is on its way is not in that answer, which takes the fields' place.
function carryOver() {
  const sent = new Map();
  const later = new Map();
  const ours = (event) => event.detail.target?.id === "fields";
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!ours(event)) return;
    sent.clear();
    for (const box of boxes()) sent.set(nameOf(box), said(box));
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!ours(event)) return;
    later.clear();
    for (const box of boxes()) if (said(box) !== sent.get(nameOf(box))) later.set(nameOf(box), said(box));
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "fields") return;
    for (const box of boxes()) if (later.has(nameOf(box))) box[isTick(box) ? "checked" : "value"] = later.get(nameOf(box));
    later.clear();
    changed();
  });
}

function start() {
  const asked = editor.dataset.typed === undefined; // not an answer to what was just sent
  if (asked || !visit()) sessionStorage.setItem(VISIT, Date.now());
  if (asked) drafts().filter((kept) => kept.typed !== typed()).forEach(offer);
  sessionStorage.removeItem(SENT);
  editor.addEventListener("input", keep);
  editor.addEventListener("keydown", moveByKey);
  editor.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (!button) return;
    event.preventDefault();
    move(button);
  });
  editor.addEventListener("submit", (event) => {
    if (event.submitter?.value === "save") sessionStorage.setItem(SENT, place);
  });
  carryOver();
  // Typed before this file was there, or put back by the browser on the way back: nobody heard it.
  addEventListener("pageshow", () => touched() && changed());
  document.querySelector("#complaints")?.focus();
}

if (editor) start();
else if (sessionStorage.getItem(SENT) && document.querySelector(".messages .saved")) {
  // Only the page after a save says so; any other may follow one that never arrived.
  store(others(visit(), sessionStorage.getItem(SENT)), sessionStorage.getItem(SENT));
  sessionStorage.removeItem(SENT);
}
