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

// The filters of a table stand before it: all words in the name of the row, and its kind.
function filterRows(form) {
  const rows = [...form.nextElementSibling.querySelectorAll("tbody tr")];
  const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const kind = form.elements.kind ? form.elements.kind.value : "";
  for (const row of rows) {
    const name = row.cells[0].textContent.toLowerCase();
    row.hidden = !words.every((word) => name.includes(word))
      || (kind !== "" && row.dataset.kind !== kind);
  }
  const shown = rows.filter((row) => !row.hidden).length;
  form.querySelector("output").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} rows`;
}

for (const form of document.querySelectorAll("form.filters")) {
  form.hidden = form.nextElementSibling.querySelectorAll("tbody tr").length < 2;
  form.addEventListener("input", () => filterRows(form));
  form.addEventListener("submit", (event) => event.preventDefault());
  filterRows(form);
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

// Print has every picture, also those that were not yet looked at.
for (const image of document.querySelectorAll("img[loading=lazy]")) {
  window.addEventListener("beforeprint", () => { image.loading = "eager"; });
}
