// The page behind the lock: what protects the meeting, who vouches for whom, and what does not hold.

import { byId, element, icon, nameOf } from "./draw.js";
import * as words from "./words.js";

const SEES = ["The network addresses of those who connect", "When they connect, and how much each sends"];
const CANNOT = ["Read names, requests to join, sound or pictures", "Let anyone in, or pass for somebody verified"];
const MISSING = ["Recording by the service", "Transcription and captions by the service", "Dialling in by telephone"];

export function drawDetails(view) {
  const dialog = byId("details");
  const focusedInside = dialog.contains(document.activeElement);
  const head = element("header", "details-head");
  const name = element("h2", "", "How this meeting is protected");
  name.id = "details-name";
  const close = element("button", "details-close");
  close.type = "button";
  close.id = "details-close";
  close.append(icon("close"), element("span", "", "Close"));
  close.addEventListener("click", () => dialog.close());
  head.append(icon(words.lock(view.lock).icon, `details-lock ${view.lock}`), name, close);

  const left = element("div", "details-left");
  left.append(section("Protection", facts(view)), section("Who vouches for whom", vouching(view)));
  const right = element("div", "details-right");
  right.append(
    section("The conference service can see", bullets(SEES)),
    section("It cannot", bullets(CANNOT)),
    section("Not available in an encrypted meeting", bullets(MISSING)),
    section("What encryption does not settle", element("p", "caveat",
      "Frames prove that they come from this group, not from which member: somebody who is in the meeting "
      + "could forge another member's sound or picture (RFC 9605 has no sender signatures).")),
  );
  const body = element("div", "details-body");
  body.append(left, right);
  dialog.replaceChildren(head, body);
  if (dialog.open && focusedInside) close.focus();
}

export function toggleDetails() {
  const dialog = byId("details");
  if (dialog.open) dialog.close();
  else dialog.showModal();
}

function section(title, content) {
  const made = element("section");
  made.append(element("h3", "", title), content);
  return made;
}

function bullets(texts) {
  const list = element("ul", "bullets");
  list.append(...texts.map((text) => element("li", "", text)));
  return list;
}

function facts(view) {
  const list = element("dl", "facts");
  const epoch = view.state === "in_meeting" ? `${view.epoch}, code since epoch ${view.code_epoch}` : "";
  const rows = [["Key agreement", view.suite], ["Sound and picture", view.sframe_suite], ["Epoch", epoch],
    ["Who may join", words.level(view.level)], ["Service", view.service]];
  for (const [term, value] of rows) {
    const row = element("div");
    const answer = element("dd");
    answer.append(element("bdi", "", value || "none now"));
    row.append(element("dt", "", term), answer);
    list.append(row);
  }
  return list;
}

function vouching(view) {
  if (view.participants.length === 0) return element("p", "nobody", "Nobody is in a meeting with this room.");
  const list = element("ul", "vouching");
  list.append(...view.participants.map((participant) => {
    const assurance = words.assurance(participant.assurance);
    const row = element("li", assurance.isSafe ? "" : "unverified");
    const lines = element("div", "person-lines");
    const first = element("p", "person-name");
    first.append(nameOf(participant, "name"), element("strong", "assurance", assurance.word));
    lines.append(first);
    const because = [
      participant.issuer && `Certificate: ${words.isolated(participant.issuer)}`,
      participant.vouched_by && `Admitted by ${words.isolated(participant.vouched_by)}`,
      participant.role && `as ${participant.role}`,
    ].filter(Boolean);
    if (because.length) lines.append(element("p", "because", because.join(" · ")));
    if (participant.reason) lines.append(element("p", "because", words.isolated(participant.reason)));
    row.append(icon(assurance.icon, "assurance-icon"), lines);
    return row;
  }));
  return list;
}
