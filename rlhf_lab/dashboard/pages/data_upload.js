// A form that sends its file as the body of a POST, and tells how much of it has gone.

const MOST_BYTES = 64 * 2 ** 20;

export function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "lab-fragment";
  root.innerHTML = model.get("html");
  const form = root.querySelector("form");
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const parts = { progress: part("progress"), state: part("state"), cancel: part("cancel") };
  const button = form.querySelector("button[type=submit]");
  let request = null;
  let number = 0;

  const end = (status, reply) => {
    request = null;
    number += 1;
    button.disabled = false;
    parts.cancel.hidden = true;
    parts.progress.hidden = true;
    if (status === 200) form.reset();
    // The number makes it another value when the same is said again.
    model.set("answer", { status, reply, number });
    model.save_changes();
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (request) return;
    const file = form.elements.file.files[0];
    if (file.size > MOST_BYTES) {
      end(413, { error: `${file.name} is larger than 64 MiB: divide it, or use lab.import_().` });
      return;
    }
    button.disabled = true;
    parts.cancel.hidden = false;
    parts.progress.hidden = false;
    request = send(form, file, (sent) => show(parts, sent), end);
  });
  parts.cancel.addEventListener("click", () => request?.abort());
  el.append(root);
  return () => request?.abort();
}

function send(form, file, onProgress, onEnd) {
  const asked = new URLSearchParams({ name: file.name });
  for (const [name, value] of new FormData(form)) {
    if (typeof value === "string" && value) asked.set(name, value);
  }
  const request = new XMLHttpRequest();
  request.open("POST", `/upload?${asked}`);
  request.setRequestHeader("X-XSRFToken", cookie("_xsrf"));
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
  request.addEventListener("load", () => onEnd(request.status, replyOf(request)));
  request.addEventListener("error", () => onEnd(0, { error: NOT_SENT }));
  request.addEventListener("abort", () => onEnd(0, { error: "Cancelled: nothing was stored." }));
  onProgress(0);
  request.send(file);
  return request;
}

const NOT_SENT = "The file could not be sent: look whether the server is there, and try again.";

function show({ progress, state }, sent) {
  const bar = progress.querySelector("progress");
  if (sent < 1) {
    bar.value = sent;
    state.textContent = `Sending, ${Math.floor(sent * 100)}%`;
  } else {
    bar.removeAttribute("value");
    state.textContent = "Reading every row\u2026";
  }
}

function replyOf(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return { error: request.responseText.slice(0, 500) };
  }
}

function cookie(name) {
  const pair = document.cookie.split("; ").find((text) => text.startsWith(`${name}=`));
  return pair ? decodeURIComponent(pair.slice(name.length + 1)) : "";
}
