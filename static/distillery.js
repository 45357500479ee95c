// The little that HTML can't do: the theme switch, selects that submit and copy buttons.
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

const themeButton = document.querySelector("[data-theme-switch]");
if (themeButton) {
  themeButton.hidden = false;
  nameTheme(themeButton);
  themeButton.addEventListener("click", () => switchTheme(themeButton));
}
dress(document);
document.addEventListener("htmx:load", (event) => dress(event.target));
