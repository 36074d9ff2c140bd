// The roster on the glass: a line each, with a mark for those whom people here have compared the code with.

import { byId, element, icon, nameOf } from "./elements.js";
import * as words from "./words.js";

export function drawPeople(view, press, openDetails) {
  // Those whom nobody verified come first, so that a long list cannot hide them.
  const safeLast = (p) => (words.assurance(p.assurance).isSafe ? 1 : 0);
  const sorted = [...view.participants].sort((a, b) => safeLast(a) - safeLast(b));
  byId("people-name").textContent = words.counted("in_the_meeting", sorted.length);
  byId("missing").textContent = words.missing(view);
  byId("people").replaceChildren(...sorted.map((participant) => person(participant, view, press, openDetails)));
}

function person(participant, view, press, openDetails) {
  const assurance = words.assurance(participant.assurance);
  const row = element("li", assurance.isSafe ? "person" : "person unverified");
  const lines = element("button", "person-lines person-open");
  lines.type = "button";
  lines.id = `open ${participant.leaf}`;
  lines.setAttribute("aria-haspopup", "dialog");
  lines.addEventListener("click", () => openDetails(participant.leaf));
  const first = element("span", "person-name");
  first.append(nameOf(participant, "name"));
  const second = element("span", "person-facts");
  second.append(element("strong", "assurance", assurance.word));
  // The line may be cut at its end: what matters most comes first.
  if (words.isService(participant)) second.append(element("span", "service-end", words.text("service_end")));
  second.append(...media(participant));
  const heard = element("span", participant.is_heard ? "heard" : "heard not-yet");
  if (participant.is_self) {
    second.append(element("span", "self", words.text("this_room")));
  } else {
    heard.append(icon(participant.is_heard ? "heard" : "unheard"));
    heard.append(element("span", "heard-word", words.text(participant.is_heard ? "heard" : "not_heard")));
    second.append(heard);
    if (!participant.is_expected) second.append(element("span", "not-expected", words.text("not_expected")));
  }
  if (participant.role && !words.isService(participant)) second.append(element("span", "role", words.role(participant)));
  lines.append(first, second);
  row.append(icon(assurance.icon, "assurance-icon"), lines);
  if (!participant.is_self && words.isCodeCurrent(view)) row.append(comparing(participant, press));
  return row;
}

// What a member says of itself, as signs; the words are in the details, and read aloud. Live goes without saying;
// unknown does not, and does not look like off.
function media(participant) {
  const signs = [];
  for (const [name, word] of [["microphone", words.saidMicrophone(participant)], ["camera", words.saidCamera(participant)]]) {
    if (!word) continue;
    const isKnown = ["muted", "closed"].includes(participant[name]);
    const said = element("span", isKnown ? "said" : "said not-known");
    said.title = word;
    said.append(icon(isKnown ? `${name}-off` : name), element("span", "said-word", word));
    signs.push(said);
  }
  return signs;
}

function comparing(participant, press) {
  const { leaf, is_compared: isCompared } = participant;
  const button = element("button", isCompared ? "compare is-compared" : "compare");
  button.type = "button";
  button.id = `compare ${leaf}`;
  button.setAttribute("aria-pressed", String(isCompared));
  button.setAttribute("aria-label", words.text("compared_with", { name: words.isolated(participant.name) }));
  button.title = words.text(isCompared ? "compared" : "tick");
  button.append(element("span", "compare-box", isCompared ? "✓" : ""));
  button.addEventListener("click", () => press(isCompared ? "not_compared" : "compared", { leaf }));
  return button;
}
