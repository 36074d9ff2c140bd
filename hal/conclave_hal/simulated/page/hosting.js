// What only hosts press. What cannot be taken back is asked twice: the first press turns the button into
// a question, the second one, on the same button and about the same person, is the answer.

import { byId, element } from "./elements.js";
import * as words from "./words.js";

const ASKS_MS = 6000;
// A double tap is one wish, not a wish and its confirmation.
const SETTLE_MS = 600;
let asked = null;

export function askedTwice({ id, className, text, question, about = "", act }) {
  const key = JSON.stringify([id, about]);
  const button = element("button", className, text);
  button.type = "button";
  button.id = id;
  const label = (isAsking) => {
    button.textContent = isAsking ? question : text;
    button.classList.toggle("asks", isAsking);
    button.setAttribute("aria-label", about ? words.text("with_name", { what: button.textContent, name: words.isolated(about) }) : button.textContent);
  };
  label(asked?.key === key);
  button.addEventListener("click", (event) => {
    if (asked?.key !== key) {
      asked = { key, at: performance.now() };
      label(true);
      forgetLater(asked);
      return;
    }
    const isFinger = event.isTrusted && event.detail > 0;
    if (isFinger && performance.now() - asked.at < SETTLE_MS) return;
    asked = null;
    label(false);
    act();
  });
  button.addEventListener("asked-in-vain", () => label(false));
  return button;
}

function forgetLater(question) {
  setTimeout(() => {
    if (asked !== question) return;
    asked = null;
    // The page may have been drawn anew since: it is the button of that name now.
    byId(JSON.parse(question.key)[0])?.dispatchEvent(new Event("asked-in-vain"));
  }, ASKS_MS);
}

// Remove and Make host for one line of the roster; nothing for who is not a host, and for this room itself.
export function memberButtons(participant, view, press) {
  const row = element("div", "member-buttons");
  if (!view.is_host || view.state !== "in_meeting" || participant.is_self) return row;
  const about = participant.name;
  const leaf = participant.leaf;
  if (participant.role !== "host" && !words.isService(participant)) {
    row.append(askedTwice({ id: `hand_over ${leaf}`, className: "small make-host", text: words.text("make_host"),
      question: words.text("really_host"), about, act: () => press("hand_over", { leaf }) }));
  }
  row.append(askedTwice({ id: `kick ${leaf}`, className: "small remove", text: words.text("remove"),
    question: words.text("really_remove"), about, act: () => press("kick", { leaf }) }));
  return row;
}

// End for all, and whom to let back.
export function hostSection(view, press) {
  const made = element("div", "hosting");
  made.append(askedTwice({ id: "end_for_all", className: "small end-for-all", text: words.text("end_for_all"),
    question: words.text("really_end"), act: () => press("end_for_all") }));
  if (view.removed.length > 0) {
    made.append(element("p", "because", words.text("removed")));
    const list = element("ul", "removed");
    list.append(...view.removed.map((removed) => {
      const row = element("li");
      const name = removed.name || words.text("somebody");
      const button = element("button", "small allow-back", words.text("allow_back"));
      button.type = "button";
      button.id = `allow_back ${removed.key_id}`;
      button.setAttribute("aria-label", words.text("with_name", { what: words.text("allow_back"), name: words.isolated(name) }));
      button.addEventListener("click", () => press("allow_back", { request_id: removed.key_id }));
      row.append(element("bdi", "name", name), button);
      return row;
    }));
    made.append(list);
  }
  return made;
}
