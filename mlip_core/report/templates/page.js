"use strict";

// A click on a column's heading sorts the rows by it; another click turns the order round.
function sortBy(header) {
  const table = header.closest("table");
  const body = table.tBodies[0];
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  const key = (row) => row.cells[header.cellIndex].dataset.value;
  const compare = (a, b) => {
    if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "");
    const numeric = Number(key(a)) - Number(key(b));
    const order = Number.isNaN(numeric) ? key(a).localeCompare(key(b)) : numeric;
    return ascending ? order : -order;
  };
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  body.append(...[...body.rows].sort(compare));
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}

function select(element) {
  const selection = window.getSelection();
  selection.removeAllRanges();
  const range = document.createRange();
  range.selectNodeContents(element);
  selection.addRange(range);
}

// Where the browser refuses the clipboard, the text is left selected for the reader to copy.
async function copyCode(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    select(code);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copyCode(button));
}

// A link to a run that is folded away opens it; print shows all runs.
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
window.addEventListener("hashchange", openTarget);
openTarget();
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.run")) details.open = true;
});
