// The little that HTML can't do: the theme switch, selects that submit, copy buttons, number keys on a review.
const root = document.documentElement;
const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function switchTheme(button) {
  const theme = isDark() ? "light" : "dark";
  root.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  nameTheme(button);
}

function nameTheme(button) {
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
}

function addCopy(block) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
  const text = block.textContent.trim();
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
  block.append(button);
}

function dress(scope) {
  scope.querySelectorAll("pre[data-copy]:not(:has(.copy))").forEach(addCopy);
  scope.querySelectorAll("select[data-submit]").forEach((select) => (select.onchange = () => select.form.requestSubmit()));
}

// On a review page 0–9 (and t for ten) score the scale in hand and move to the next one.
function scoreByKey(event) {
  const scales = [...document.querySelectorAll(".scale")];
  if (!scales.length || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, select, input:not([type=radio])")) return;
  const score = event.key === "t" ? "10" : event.key;
  const scale = event.target.closest(".scale") ?? scales.find((one) => !one.querySelector("input:checked")) ?? scales[0];
  const choice = scale.querySelector(`input[value="${CSS.escape(score)}"]`);
  if (!choice) return;
  event.preventDefault();
  choice.checked = true;
  const next = scales[scales.indexOf(scale) + 1];
  (next?.querySelector("input:checked") ?? next?.querySelector("input") ?? choice).focus();
}

const themeButton = document.querySelector("[data-theme-switch]");
if (themeButton) {
  themeButton.hidden = false;
  nameTheme(themeButton);
  themeButton.addEventListener("click", () => switchTheme(themeButton));
}
dress(document);
document.addEventListener("htmx:load", (event) => dress(event.target));
document.addEventListener("keydown", scoreByKey);
