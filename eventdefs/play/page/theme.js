// Sets the chosen colours before anything is drawn. Without a choice the system's preference counts.
"use strict";

(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("eventdefs.theme");
  } catch {
    // storage is switched off: the system's preference counts
  }
  if (chosen === "dark" || chosen === "light") {
    document.documentElement.dataset.theme = chosen;
  }
})();
