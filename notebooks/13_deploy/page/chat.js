"use strict";

// The conversation lives in this tab: a reload keeps it, closing the tab ends it.
const KEPT = "conversation";
const MOST_MESSAGES = 19;
const MOST_BYTES = 12000;
const element = (id) => document.getElementById(id);
const [log, state, form, question, send, stop, offered] =
  ["log", "status", "form", "question", "send", "stop", "suggestions"].map(element);
let messages = JSON.parse(sessionStorage.getItem(KEPT) || "[]");
let running = null;
// Lists of questions: the last of each is offered, after the others were asked.
let suggestions = [];

// A model's answer is text from outside. It becomes nodes by textContent only, never HTML: nothing in it
// can run, and nothing is loaded. A link is shown as what it is, an address to read.
function node(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function inline(text) {
  const parts = text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/);
  return parts.filter(Boolean).map((part) => {
    if (/^`[^`]+`$/.test(part)) return node("code", part.slice(1, -1));
    if (/^\*\*[^*]+\*\*$/.test(part)) return node("strong", part.slice(2, -2));
    return document.createTextNode(part.replace(/!?\[([^\]\n]*)\]\(([^)\s]*)\)/g, "$1 ($2)"));
  });
}

function render(markdown) {
  const out = document.createDocumentFragment();
  let list = null, lines = [], code = null;
  const end = () => {
    if (lines.length) out.append(node("p", "", ...inline(lines.join("\n"))));
    lines = [];
    list = null;
  };
  for (const line of markdown.split("\n")) {
    const item = line.match(/^\s*(?:([-*])|\d+[.)])\s+(.*)$/);
    const heading = line.match(/^#{1,6}\s+(.*)$/);
    if (line.startsWith("```")) {
      end();
      if (code) code = null;
      else out.append(node("pre", "", code = node("code")));
    } else if (code) {
      code.append(line + "\n");
    } else if (item) {
      const kind = item[1] ? "UL" : "OL";
      if (!list || list.tagName !== kind) {
        end();
        out.append(list = node(kind));
      }
      list.append(node("li", "", ...inline(item[2])));
    } else if (heading) {
      end();
      out.append(node("h3", "", ...inline(heading[1])));
    } else if (line.trim()) {
      if (list) end();
      lines.push(line);
    } else {
      end();
    }
  }
  end();
  return out;
}

function show(role, text) {
  const body = node("div");
  const article = node("article", "", node("h2", role === "user" ? "You" : "Answer"), body);
  article.className = role;
  body.replaceChildren(role === "user" ? node("p", text) : render(text));
  log.append(article);
  log.scrollTop = log.scrollHeight;
  return body;
}

function keep() {
  sessionStorage.setItem(KEPT, JSON.stringify(messages));
}

// What follows the conversation is offered first, then what begins a new one.
function offer() {
  const asked = messages.filter(({ role }) => role === "user").map(({ content }) => content);
  const follows = (list) => list.length === asked.length + 1 && asked.every((text, n) => text === list[n]);
  const first = (list) => list.length === 1;
  const chosen = new Set([...suggestions.filter(follows), ...suggestions.filter(first)]);
  const items = [...chosen].map((list) => {
    const button = node("button", list.at(-1));
    button.type = "button";
    button.addEventListener("click", () => {
      if (running) return;
      if (!follows(list)) restart();
      question.value = list.at(-1);
      question.focus();
      submit();
    });
    return node("li", "", button);
  });
  offered.querySelector("ul").replaceChildren(...items);
  offered.hidden = !items.length;
}

// Questions and answers take turns, and the server limits their number and their bytes, with 16 more for each.
function shorten() {
  const bytes = (message) => new TextEncoder().encode(message.content).length + 16;
  const size = () => messages.reduce((sum, message) => sum + bytes(message), 0);
  while (messages.length > MOST_MESSAGES || (messages.length > 2 && size() > MOST_BYTES)) {
    messages.splice(0, 2);
  }
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const [, kind, data] = part.match(/^event: (\w+)\ndata: (.*)$/);
      yield { kind, data: JSON.parse(data) };
    }
  }
}

async function* ask(signal) {
  const response = await fetch("chat", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages }),
    signal,
  });
  if (response.ok) yield* events(response);
  else yield { kind: "error", data: (await response.json()).error };
}

async function answer() {
  let text = "", outcome = "", due = false;
  const body = show("assistant", "");
  const draw = () => {
    due = false;
    body.replaceChildren(render(text));
    log.scrollTop = log.scrollHeight;
  };
  try {
    for await (const { kind, data } of ask(running.signal)) {
      if (kind === "piece") {
        text += data.text;
        // Once a picture of the screen, however many pieces arrive.
        if (!due) due = requestAnimationFrame(draw);
      } else if (kind === "error") {
        outcome = `${data.message} (${data.id.slice(0, 8)})`;
      } else {
        outcome = data.finish_reason === "length" ? "The answer reached its limit." : "The answer is complete.";
      }
    }
    outcome ||= "The connection was lost before the answer was complete.";
  } catch (error) {
    outcome = error.name === "AbortError" ? "Stopped." : "The server can't be reached.";
  }
  draw();
  if (!text) body.parentElement.remove();
  return { text, outcome };
}

async function submit() {
  const conversation = messages;
  messages.push({ role: "user", content: question.value.trim() });
  show("user", question.value.trim());
  shorten();
  running = new AbortController();
  [send.disabled, stop.disabled] = [true, false];
  state.textContent = "The answer is being written.";
  log.setAttribute("aria-busy", "true");
  offered.hidden = true;
  question.value = "";
  const { text, outcome } = await answer();
  // A question without an answer comes back, to be sent again.
  if (text) conversation.push({ role: "assistant", content: text });
  else if (conversation === messages) question.value = messages.pop().content;
  keep();
  log.removeAttribute("aria-busy");
  if (conversation === messages) state.textContent = outcome;
  [send.disabled, stop.disabled] = [false, true];
  running = null;
  offer();
  question.focus();
}

function restart() {
  running?.abort();
  // What the aborted answer adds, it adds to the old list.
  messages = [];
  keep();
  log.replaceChildren();
  state.textContent = "";
  question.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running && question.value.trim()) submit();
});
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
stop.addEventListener("click", () => running?.abort());
element("new").addEventListener("click", () => {
  restart();
  offer();
});
for (const message of messages) show(message.role, message.content);
fetch("suggestions").then((response) => response.json()).then((lists) => {
  suggestions = lists;
  offer();
}).catch(() => {});
