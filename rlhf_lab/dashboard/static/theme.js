// Loaded before anything is painted, so that a page never shows the wrong colours first.

(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("rlhf-lab.theme");
  } catch {
    // Where the browser keeps nothing, the page is as the system is.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
