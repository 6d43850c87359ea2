// What a page does by itself: its theme, signing out, and finding its server again.

const THEME = "rlhf-lab.theme";
const SHOWN_AFTER_MS = 800;
const SLOWEST_MS = 4_000;
const NEVER_CAME_MS = 20_000;
const INCOMPLETE = "rlhf-lab.incomplete"; // see the page's template

followTheme(document.getElementById("lab-themes"));
guardSignOut(document.getElementById("lab-sign-out"));
watchConnection(document.getElementById("lab-banner"));

// ----------------------------------------------------------------------------------------- theme

function followTheme(choices) {
  const stored = () => {
    try {
      return localStorage.getItem(THEME) ?? "";
    } catch {
      return document.documentElement.dataset.theme ?? "";
    }
  };
  const show = () => {
    const theme = stored();
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    const choice = choices.querySelector(`input[value="${theme}"]`);
    if (choice) choice.checked = true;
  };
  choices.addEventListener("change", (event) => {
    try {
      localStorage.setItem(THEME, event.target.value);
    } catch {
      document.documentElement.dataset.theme = event.target.value;
    }
    show();
  });
  // Another page of the dashboard, in another tab.
  globalThis.addEventListener("storage", (event) => {
    if (event.key === THEME) show();
  });
  show();
}

// -------------------------------------------------------------------------------------- signing out

/** The token that proves the form is ours is in a cookie; a page kept open may outlive an old one. */
function guardSignOut(form) {
  form.addEventListener("submit", () => {
    form.elements._xsrf.value = cookie("_xsrf");
  });
}

function cookie(name) {
  const pair = document.cookie.split("; ").find((text) => text.startsWith(`${name}=`));
  return pair ? decodeURIComponent(pair.slice(name.length + 1)) : "";
}

// --------------------------------------------------------------------------------------- connection

/**
 * A page that lost its server tells so, waits until there is one, and loads itself again: everything
 * is in the store, and answers that were not saved yet are kept by the ranker, which sends them then.
 */
function watchConnection(banner) {
  let isLeaving = false;
  let isLost = false;
  globalThis.addEventListener("pagehide", () => {
    isLeaving = true;
  });
  // A page that the browser kept and shows again has no connection any more.
  globalThis.addEventListener("pageshow", (event) => {
    if (event.persisted) globalThis.location.reload();
  });
  const lost = () => {
    if (isLost) return;
    isLost = true;
    setTimeout(() => {
      if (isLeaving) return;
      banner.textContent =
        "Connection lost, trying again\u2026 Answers that are not saved yet are kept.";
      banner.hidden = false;
    }, SHOWN_AFTER_MS);
    void untilAnswered().then((isIn) => {
      if (isLeaving) return;
      if (isIn) globalThis.location.reload();
      else globalThis.location.assign(signInAgain());
    });
  };
  const connected = (page) => {
    page.on_event("connection_lost", lost);
    try {
      sessionStorage.removeItem(INCOMPLETE);
    } catch {
      // Then nothing was counted.
    }
  };
  onceConnected(connected, lost);
}

/** Waits for the server; whether somebody is signed in here, as a page says that costs it little. */
async function untilAnswered() {
  for (;;) {
    await untilServed();
    try {
      const reply = await fetch("/account", { redirect: "manual", cache: "no-store" });
      return reply.type !== "opaqueredirect" && reply.status !== 401;
    } catch {
      // It ended again. To load the page now would leave the browser's own words in its place.
    }
  }
}

function signInAgain() {
  const { pathname, search } = globalThis.location;
  return `/login?ended=1&next=${encodeURIComponent(pathname + search)}`;
}

/** Bokeh tells nobody when its document is there, nor when it never comes. */
function onceConnected(then, otherwise) {
  const started = Date.now();
  const timer = setInterval(() => {
    const page = globalThis.Bokeh?.documents?.[0];
    if (page) then(page);
    else if (Date.now() - started > NEVER_CAME_MS) otherwise();
    else return;
    clearInterval(timer);
  }, 100);
}

async function untilServed() {
  for (let wait = 500; ; wait = Math.min(SLOWEST_MS, wait * 1.6)) {
    // Not all pages at the same moment: a server that has just started has enough to do.
    await new Promise((resolve) => setTimeout(resolve, wait * (0.75 + Math.random() / 2)));
    try {
      const reply = await fetch("/healthz", { cache: "no-store" });
      if (reply.ok) return;
    } catch {
      // It is not there yet.
    }
  }
}
