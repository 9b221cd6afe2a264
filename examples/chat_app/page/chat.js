// The conversation. It is kept as the Vercel AI SDK keeps one (messages of parts), because that is
// what the backend speaks: POST /chat answers with a UI message stream.

import { markdown } from "./markdown.js";

const at = (id) => document.getElementById(id);
const [log, form, prompt, send, stop, model, think, files, welcome] =
  ["log", "form", "prompt", "send", "stop", "model", "think", "files", "welcome"].map(at);
const MOST = 20 * 2 ** 20;

let messages = [];
let attached = [];
let running = null;

// What the page is told of the server.

const about = await (await fetch("/about")).json();
for (const [slug, name] of Object.entries(about.models)) model.add(new Option(name, slug));
at("emulated").hidden = !about.emulated;

// Dark and light: as the system has it, until somebody says otherwise.

const root = document.documentElement.dataset;
const kept = localStorage.getItem("theme");
if (kept) root.theme = kept;
at("theme").addEventListener("click", () => {
  const now = root.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.theme = now === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.theme);
});

// Asking.

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = prompt.value.trim();
  if (running || (!text && !attached.length)) return;
  const parts = [...attached];
  if (text) parts.push({ type: "text", text });
  attached = [];
  prompt.value = "";
  showFiles();
  ask({ role: "user", parts });
});
prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
stop.addEventListener("click", () => running?.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
});
at("fresh").addEventListener("click", () => {
  running?.abort();
  messages = [];
  log.replaceChildren();
  welcome.hidden = false;
  prompt.focus();
});
at("ideas").addEventListener("click", (event) => {
  const idea = event.target.closest("button");
  if (!idea) return;
  model.value = idea.dataset.model;
  think.checked = idea.dataset.think === "true";
  prompt.value = idea.textContent;
  form.requestSubmit();
});

async function ask(question) {
  welcome.hidden = true;
  messages.push(question);
  log.append(showQuestion(question));
  await answer();
}

async function answer() {
  // What failed before cannot be tried again once the conversation has gone on.
  log.querySelectorAll(".error button").forEach((one) => one.remove());
  const asked = messages;
  const view = new AnswerView();
  const reply = { role: "assistant", parts: [] };
  running = new AbortController();
  send.hidden = true;
  stop.hidden = false;
  let generation = null;
  try {
    const body = JSON.stringify({ messages, model: model.value, think: think.checked });
    const headers = { "content-type": "application/json" };
    const response = await fetch("/chat", { method: "POST", headers, body, signal: running.signal });
    generation = response.headers.get("x-generation-id");
    if (!response.ok) throw new Error(await wordsOf(response));
    await read(response.body, (part) => take(part, reply, view));
  } catch (error) {
    if (running.signal.aborted) view.stopped(generation);
    else view.failed(error instanceof TypeError ? "The connection to the server broke." : error.message);
  } finally {
    running = null;
    stop.hidden = true;
    send.hidden = false;
    // Nobody who is reading or choosing elsewhere by now is torn away.
    if ([document.body, send, stop].includes(document.activeElement)) prompt.focus({ preventScroll: true });
  }
  if (reply.parts.length) asked.push(reply); // "New chat" may have begun another list meanwhile
  view.done();
}

async function wordsOf(response) {
  const text = await response.text(), kind = response.headers.get("content-type") ?? "";
  if (kind.startsWith("text/plain")) return text;
  const told = kind.startsWith("application/json") ? JSON.parse(text) : {}; // a proxy sends a page
  return told.error?.message ?? told.detail?.[0]?.msg ?? `The server answered ${response.status}.`;
}

// Server-sent events: lines, of which only those with data matter here.

async function read(body, take) {
  const lines = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", whole = false;
  for (;;) {
    const { done, value } = await lines.read();
    if (done) break;
    const found = (rest + value).split("\n");
    rest = found.pop();
    for (const line of found) {
      if (!line.startsWith("data: ")) continue;
      if (line === "data: [DONE]") whole = true;
      else take(JSON.parse(line.slice(6)));
    }
  }
  if (!whole) throw new Error("The answer broke off before its end.");
}

function take(part, reply, view) {
  const last = reply.parts.at(-1);
  switch (part.type) {
    case "start-step": reply.parts.push({ type: "step-start" }); break;
    case "reasoning-start": reply.parts.push({ type: "reasoning", id: part.id, text: "" }); break;
    case "text-start": reply.parts.push({ type: "text", id: part.id, text: "" }); break;
    case "reasoning-delta":
    case "text-delta": {
      const open = reply.parts.findLast((one) => one.id === part.id);
      open.text += part.delta;
      view.say(open);
      break;
    }
    case "reasoning-end":
    case "text-end": {
      const open = reply.parts.findLast((one) => one.id === part.id);
      if (part.providerMetadata) open.providerMetadata = part.providerMetadata;
      break;
    }
    case "file":
      reply.parts.push({ type: "file", mediaType: part.mediaType, url: part.url });
      view.picture(part);
      break;
    case "source-url": view.source(part); break;
    case "error": view.failed(part.errorText); break;
    case "finish": view.figures(part.messageMetadata ?? {}); break;
    default: if (last && part.type === "tool-input-start") view.note(`Calling ${part.toolName} …`);
  }
}

// Showing.

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function follow(change) {
  const page = document.documentElement;
  const near = page.scrollHeight - page.scrollTop - page.clientHeight < 120;
  change();
  if (near) scrollTo(0, page.scrollHeight);
}

// Only what has changed, so that a selection lives and a code block stays where it was scrolled to.
function renew(place, fragment) {
  const fresh = [...fragment.childNodes];
  let same = 0;
  while (same < fresh.length && place.childNodes[same]?.isEqualNode(fresh[same])) same += 1;
  while (place.childNodes.length > same) place.lastChild.remove();
  place.append(...fresh.slice(same));
}

function showQuestion(message) {
  const article = make("article", "user");
  article.append(make("span", "sr", "You: "));
  for (const part of message.parts) {
    if (part.type === "text") article.append(make("div", "text", part.text));
    else article.append(chip(part));
  }
  return article;
}

class AnswerView {
  constructor() {
    this.article = make("article", "assistant working");
    this.article.append(make("span", "sr", "Answer: "));
    this.article.setAttribute("aria-busy", "true");
    this.shown = new Map();
    this.dirty = new Set();
    this.begun = performance.now();
    this.waiting = make("div", "text");
    this.article.append(this.waiting);
    follow(() => log.append(this.article));
    scrollTo(0, document.documentElement.scrollHeight);
  }

  // Text is laid out once a frame, however many pieces come in one.
  say(part) {
    if (!this.dirty.size) requestAnimationFrame(() => this.draw());
    this.dirty.add(part);
  }

  draw() {
    follow(() => {
      for (const part of this.dirty) {
        if (!this.shown.has(part)) this.shown.set(part, part.type === "text" ? this.newText() : this.newThoughts());
        const place = this.shown.get(part);
        if (part.type === "text") renew(place, markdown(part.text));
        else place.textContent = part.text;
      }
      this.dirty.clear();
    });
  }

  newText() {
    this.waiting?.remove();
    this.waiting = null;
    this.article.querySelectorAll("details.thoughts").forEach((one) => {
      one.querySelector("summary").textContent = "Thoughts";
    });
    return this.article.appendChild(make("div", "text"));
  }

  newThoughts() {
    const details = make("details", "thoughts");
    details.append(make("summary", "", "Thinking …"), make("div"));
    this.article.insertBefore(details, this.waiting);
    return details.lastChild;
  }

  picture(part) {
    if (!/^data:image\/(png|jpeg|webp|gif);/.test(part.url)) return;
    this.waiting?.remove();
    this.waiting = null;
    this.draw();
    const figure = make("figure"), image = make("img");
    image.alt = "Picture drawn by the model";
    image.src = part.url;
    this.article.append(figure);
    image.decode().then(() => follow(() => figure.append(image)), () => figure.remove());
  }

  source(part) {
    if (!/^https?:\/\//.test(part.url)) return;
    this.list ??= this.article.appendChild(make("ol", "sources"));
    const link = make("a", "", part.title || part.url);
    Object.assign(link, { href: part.url, target: "_blank", rel: "noopener noreferrer nofollow" });
    this.list.appendChild(make("li")).append(link);
  }

  note(text) {
    this.line ??= this.article.appendChild(make("p", "figures"));
    this.line.textContent = text;
  }

  figures(told) {
    const seconds = (value) => value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(value < 10 ? 1 : 0)} s`;
    this.note([
      told.provider,
      told.cost !== undefined && dollars(told.cost),
      told.outputTokens && `${told.outputTokens} tokens`,
      told.tokensPerSecond && `${Math.round(told.tokensPerSecond)} tokens/s`,
      told.secondsToFirstToken && `first after ${seconds(told.secondsToFirstToken)}`,
      `done in ${seconds((performance.now() - this.begun) / 1000)}`,
    ].filter(Boolean).join(" · "));
  }

  async stopped(generation) {
    this.note("Stopped.");
    if (!generation) return;
    this.note("Stopped; asking what it has cost …");
    try {
      const response = await fetch(`/cost/${generation}`);
      const { cost } = response.ok ? await response.json() : {};
      this.note(cost == null ? "Stopped; the cost is not known yet." : `Stopped · ${dollars(cost)}`);
    } catch {
      this.note("Stopped.");
    }
  }

  failed(words) {
    this.draw();
    this.waiting?.remove();
    this.waiting = null;
    const box = make("div", "error");
    box.setAttribute("role", "alert");
    const again = make("button", "", "Try again");
    again.type = "button";
    again.addEventListener("click", () => {
      if (running) return;
      box.remove();
      if (messages.at(-1)?.role === "assistant") messages.pop();
      this.article.remove();
      answer();
    });
    box.append(make("span", "", words), again);
    follow(() => this.article.append(box));
  }

  done() {
    this.draw();
    this.article.classList.remove("working");
    this.article.removeAttribute("aria-busy");
    if (this.line) this.article.append(this.line);
  }
}

function dollars(value) {
  return `$${value === 0 ? "0" : value.toFixed(Math.max(2, 2 - Math.floor(Math.log10(value)) - 1))}`;
}

// Files: chosen, pasted, or dropped anywhere.

at("attach").addEventListener("click", () => at("file").click());
at("file").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});
prompt.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) { event.preventDefault(); add(event.clipboardData.files); }
});
const carries = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => { if (carries(event)) at("drop").hidden = false; });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) at("drop").hidden = true; });
// Text that is dragged into the box goes its usual way.
addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  at("drop").hidden = true;
  add(event.dataTransfer.files);
});

async function add(chosen) {
  for (const file of chosen) {
    const fits = file.type === "application/pdf" || file.type.startsWith("image/");
    if (!fits) { complain(`${file.name} is neither a PDF nor a picture.`); continue; }
    if (file.size > MOST) { complain(`${file.name} is larger than ${MOST / 2 ** 20} MB.`); continue; }
    const url = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(reader.result));
      reader.readAsDataURL(file);
    });
    attached.push({ type: "file", mediaType: file.type, filename: file.name, url });
  }
  showFiles();
  prompt.focus();
}

function complain(words) {
  const box = files.appendChild(make("li", "error", words));
  box.setAttribute("role", "alert");
  setTimeout(() => box.remove(), 6000);
}

function chip(part) {
  const element = make("span", "chip");
  if (part.mediaType.startsWith("image/")) {
    const image = make("img");
    image.alt = "";
    image.src = part.url;
    element.append(image);
  }
  element.append(part.filename ?? part.mediaType);
  return element;
}

function showFiles() {
  files.querySelectorAll("li:not(.error)").forEach((one) => one.remove());
  for (const part of attached) {
    const item = files.appendChild(make("li")), element = item.appendChild(chip(part));
    const away = element.appendChild(make("button", "", "×"));
    away.type = "button";
    away.setAttribute("aria-label", `Remove ${part.filename}`);
    away.addEventListener("click", () => {
      attached = attached.filter((one) => one !== part);
      showFiles();
    });
  }
}
