// The page of a run, which comes anew every second: the log follows its end unless the reader has scrolled up,
// and what the reader has unfolded stays so. Without this file the page shows the same.

const NEAR = 24; // pixels from the end of the log that still count as its end

let kept = { open: [], scrolled: new Map() };

function toEnd(log) {
  log.scrollTop = log.scrollHeight;
}

function remember() {
  kept = { open: [...document.querySelectorAll("#run details[open]")].map((fold) => fold.id), scrolled: new Map() };
  for (const log of document.querySelectorAll("#run pre.log")) {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
    if (!("follow" in log.dataset && atEnd)) kept.scrolled.set(place(log), log.scrollTop);
  }
}

function place(log) {
  return log.id || log.parentElement.id;
}

function restore() {
  for (const id of kept.open) document.getElementById(id)?.setAttribute("open", "");
  for (const log of document.querySelectorAll("#run pre.log")) {
    const scrolled = kept.scrolled.get(place(log));
    if (scrolled !== undefined) log.scrollTop = scrolled;
    else if ("follow" in log.dataset) toEnd(log);
  }
}

document.addEventListener("htmx:beforeSwap", remember);
document.addEventListener("htmx:afterSwap", restore);
document.querySelectorAll("#run pre.log[data-follow]").forEach(toEnd);
