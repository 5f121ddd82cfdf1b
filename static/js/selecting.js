/** A box in the head of a table that ticks those of its rows. */
for (const all of document.querySelectorAll("[data-select]")) {
  const boxes = [...all.form.elements].filter((one) => one.name === all.dataset.select);
  const show = () => {
    const ticked = boxes.filter((one) => one.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  };
  all.addEventListener("change", () => boxes.forEach((one) => (one.checked = all.checked)));
  boxes.forEach((one) => one.addEventListener("change", show));
  all.hidden = false;
  show();
}
