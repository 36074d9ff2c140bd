// Draws a view on the glass. Every text goes through textContent: names are strangers' input.

import { byId, element, icon, keepingFocus, nameOf } from "./elements.js";
import { drawWaysIn } from "./joining.js";
import { drawPeople } from "./people.js";
import * as words from "./words.js";

const LONG_HEADLINE = 30;

let spoken = "";

// The words that stand on the page before any view, and the way they are read.
function drawLanguage(wanted) {
  words.speak(wanted);
  if (spoken === words.language().language) return;
  spoken = words.language().language;
  const { language: lang, direction } = words.language();
  document.documentElement.lang = lang;
  document.documentElement.dir = direction;
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = words.text(one.dataset.word);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", words.text(one.dataset.label));
  for (const one of document.querySelectorAll(".company h2")) one.dataset.scroll = words.text("scroll");
}

export function draw(view, press, openDetails) {
  drawLanguage(view.language);
  const glass = byId("glass");
  const lock = words.lock(view.lock);
  glass.dataset.state = view.state;
  glass.dataset.lock = view.lock;
  glass.classList.toggle("has-ways", words.invitations(view).length > 0);
  glass.classList.toggle("is-called", view.incoming !== null);
  glass.classList.toggle("has-unverified", words.hasUnverified(view));
  byId("lock-icon").setAttribute("href", `#${lock.icon}`);
  byId("lock-word").textContent = lock.word;
  byId("lock-meaning").textContent = lock.meaning;
  byId("title").textContent = view.title ? words.isolated(view.title) : "";
  setText("headline", words.headline(view));
  byId("headline").classList.toggle("is-long", words.headline(view).length > LONG_HEADLINE);
  byId("room").textContent = view.room;
  byId("level").textContent = view.state === "in_meeting" ? words.level(view.level) : "";
  document.title = `${words.headline(view)} · ${lock.word}`;
  drawNotices(view);
  drawCode(view, press);
  drawStage(view, press);
  keepingFocus(() => {
    drawPeople(view, press, openDetails);
    drawLobby(view, press);
    drawControls(view, press);
  });
  setText("news", view.news.length ? view.news[view.news.length - 1] : "");
  markCut();
}

// A list that is longer than its place fades out at the end and says so in its heading.
export function markCut() {
  for (const list of [byId("people"), byId("lobby")]) {
    const isCut = list.scrollHeight > list.clientHeight + 4;
    list.classList.toggle("is-cut", isCut);
    list.closest("section").classList.toggle("has-more", isCut && list.children.length > 1);
  }
}

// A live region speaks whenever its text is set, so it is set only when it differs.
function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function drawNotices(view) {
  const list = byId("notices");
  const texts = words.notices(view);
  if (JSON.stringify(texts) === list.dataset.shown) return;
  list.dataset.shown = JSON.stringify(texts);
  list.replaceChildren(...texts.map((text) => {
    const line = element("li");
    line.append(icon("triangle"), element("bdi", "", text));
    return line;
  }));
}

function drawCode(view, press) {
  const code = words.code(view);
  const section = byId("code");
  section.classList.toggle("is-stale", !code.isCurrent);
  section.classList.toggle("is-empty", code.groups.length === 0);
  byId("code-caption").textContent = code.groups.length ? code.caption : code.nothing;
  byId("code-reason").textContent = code.reason;
  const speak = byId("speak-button");
  speak.hidden = !words.isCodeCurrent(view);
  speak.textContent = words.text("speak");
  speak.onclick = () => press("speak_code");
  byId("groups").replaceChildren(...code.groups.map((digits) => element("li", "", digits)));
}

function drawStage(view, press) {
  const stage = words.stage(view);
  const lock = words.lock(view.lock);
  byId("stage-icon").setAttribute("href", `#${lock.icon}`);
  byId("stage-word").textContent = `${lock.word}: ${lock.meaning}`;
  setText("stage-name", stage.name);
  setText("stage-line", stage.line);
  setText("stage-note", stage.note);
  drawWaysIn(view, press);
}

const SETTLE_MS = 600;
let lobbyShown = "";
let lobbyChangedAt = 0;

function drawLobby(view, press) {
  const requests = view.state === "in_meeting" ? view.lobby : [];
  byId("glass").classList.toggle("has-lobby", requests.length > 0);
  byId("lobby-name").textContent = words.counted("waiting", requests.length);
  const order = JSON.stringify(requests.map((request) => request.request_id));
  if (order !== lobbyShown) {
    lobbyShown = order;
    lobbyChangedAt = performance.now();
  }
  byId("lobby").replaceChildren(...requests.map((request) => card(request, view.is_host, press)));
}

function card(request, canAdmit, press) {
  const assurance = words.assurance(request.assurance);
  const made = element("li", assurance.isSafe ? "card" : "card unverified");
  const who = element("div", "card-who");
  const lines = element("div", "person-lines");
  const first = element("p", "person-name");
  first.append(nameOf(request, "name"));
  const second = element("p", "person-facts");
  second.append(element("strong", "assurance", assurance.word), element("bdi", "card-reason", request.obstacle || request.reason));
  lines.append(first, second);
  who.append(icon(assurance.icon, "assurance-icon"), lines);
  made.append(who);
  if (!canAdmit) {
    made.append(element("p", "card-hosts", words.text("only_hosts")));
    return made;
  }
  const buttons = element("div", "card-buttons");
  for (const [kind, text] of ["admit", "deny"].map((each) => [each, words.text(each)])) {
    const button = element("button", kind, text);
    button.type = "button";
    button.id = `${kind} ${request.request_id}`;
    button.setAttribute("aria-label", words.text("two_parts", {
      first: words.text("with_name", { what: text, name: words.isolated(request.name) }), second: assurance.word }));
    if (kind === "admit" && request.obstacle) {
      button.disabled = true;
      button.title = request.obstacle;
    }
    button.addEventListener("click", (event) => {
      // A finger on its way to one card must not hit another that has just moved under it.
      const isFinger = event.isTrusted && event.detail > 0;
      if (isFinger && performance.now() - lobbyChangedAt < SETTLE_MS) return;
      press(kind, { request_id: request.request_id });
    });
    buttons.append(button);
  }
  made.append(buttons);
  return made;
}

function drawControls(view, press) {
  for (const [id, state] of [["microphone-button", words.microphone(view)], ["camera-button", words.camera(view)]]) {
    const button = byId(id);
    button.classList.toggle("is-off", state.isOff);
    button.classList.toggle("is-unread", state.isUnread);
    button.setAttribute("aria-pressed", String(state.isMuted));
    const lines = element("span", "control-words");
    lines.append(element("strong", "", state.word), element("span", "", state.why));
    button.replaceChildren(icon(state.icon), lines);
    if (state.isUnread) button.append(icon("triangle", "warning"));
    button.onclick = () => press(state.press);
  }
  byId("leave-button").hidden = view.state === "idle" || view.state === "left" || view.incoming !== null;
  byId("leave-word").textContent = words.leave(view).word;
  byId("leave-why").textContent = words.leave(view).why;
  byId("leave-button").onclick = () => press("leave");
}
