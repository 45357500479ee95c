// The rubric editor's comforts: dimensions move at once, by buttons or Alt and an arrow; what is typed is kept in this browser
// until it is saved. Without this file the same buttons work by sending the page.
const editor = document.querySelector("[data-editor]");
const place = `distillery-draft ${location.pathname}`;
const SENT = "distillery-sent";

const typed = () => JSON.stringify([...new FormData(editor)].filter(([name]) => !["csrfmiddlewaretoken", "said", "base", "article"].includes(name)));
const changed = () => editor.dispatchEvent(new Event("input", { bubbles: true }));

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

function keep() {
  localStorage.setItem(place, JSON.stringify({ at: Date.now(), base: editor.elements.base.value, typed: typed() }));
}

// What was kept is sent as a form of its own, so that the server lays it out as it does everything else.
function takeUp(kept) {
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
  const minutes = Math.round((Date.now() - kept.at) / 60000);
  const ago = minutes < 1 ? "just now" : minutes < 120 ? `${minutes} min ago` : new Date(kept.at).toLocaleString();
  notice.querySelector("[data-when]").textContent = ago;
  notice.querySelector("[data-take]").addEventListener("click", () => takeUp(kept));
  notice.querySelector("[data-drop]").addEventListener("click", () => {
    localStorage.removeItem(place);
    notice.hidden = true;
  });
  notice.hidden = false;
}

function start() {
  const kept = JSON.parse(localStorage.getItem(place) ?? "null");
  const asked = editor.dataset.typed === undefined; // not an answer to what was just sent
  if (kept && asked && kept.typed !== typed()) offer(kept);
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
  document.addEventListener("htmx:afterSettle", (event) => event.target.id === "fields" && changed());
  document.querySelector("#complaints")?.focus();
}

if (editor) start();
else if (sessionStorage.getItem(SENT)) {
  // The page after a save has no editor on it, so what was kept is stored now.
  localStorage.removeItem(sessionStorage.getItem(SENT));
  sessionStorage.removeItem(SENT);
}
