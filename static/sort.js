// Sorts a table's last body by a click on a column's head; baselines live in a body of their own and stay on top.
function valueOf(row, column, kind) {
  const cell = row.cells[column];
  const value = cell?.dataset.value;
  if (kind === "number") return value === undefined ? Infinity : Number(value);
  return value ?? cell?.textContent.trim() ?? "";
}

function compare(a, b) {
  return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
}

function sortBy(table, head) {
  const column = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  const body = table.querySelector("tbody[data-sorted]");
  const known = (row) => valueOf(row, column, head.dataset.sort) !== Infinity;
  const rows = [...body.rows].sort((a, b) => {
    if (known(a) !== known(b)) return known(a) ? -1 : 1; // what is unknown stays last either way
    const order = compare(valueOf(a, column, head.dataset.sort), valueOf(b, column, head.dataset.sort));
    return down ? -order : order;
  });
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...rows);
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  for (const head of table.tHead.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sorter";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head));
    head.append(button);
  }
}
