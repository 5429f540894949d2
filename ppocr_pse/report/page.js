// Sorts tables by a click on a head, hides kinds of outlines, enlarges pictures. Without it the page shows everything.
document.querySelectorAll("table.sortable").forEach((table) => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
    const numeric = head.dataset.kind === "number";
    const compare = numeric ? (a, b) => key(a) - key(b)
      : (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true });
    const rows = [...table.tBodies[0].rows].sort(compare);
    table.tBodies[0].append(...(down ? rows.reverse() : rows));
  }));
});
document.querySelectorAll("input[data-kind]").forEach((box) => box.addEventListener("change", () => {
  document.getElementById("gallery").classList.toggle("hide-" + box.dataset.kind, !box.checked);
}));
document.querySelectorAll(".views svg").forEach((view) => view.addEventListener("click", () => {
  view.classList.toggle("large");
}));
