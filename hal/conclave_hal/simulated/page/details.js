// The page behind the lock: what protects the meeting, who vouches for whom, and what does not hold.

import { byId, element, icon, keepingFocus, nameOf } from "./elements.js";
import { hostSection, memberButtons } from "./hosting.js";
import * as words from "./words.js";

const SEES = ["The network addresses of those who connect", "When they connect, and how much each sends"];
const CANNOT = ["Read names, requests to join, sound or pictures", "Let anyone in, or pass for somebody verified"];
const MISSING = ["Recording by the service", "Transcription and captions by the service", "Dialling in by telephone"];

export function drawDetails(view, press) {
  const dialog = byId("details");
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
  left.append(section("Protection", facts(view)), section("Who vouches for whom", vouching(view, press)));
  if (view.missing.length) left.append(section("Expected, and not here", bullets(view.missing)));
  const right = element("div", "details-right");
  if (view.is_host && view.state === "in_meeting") right.append(section("As a host", hostSection(view, press)));
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
  const scrolled = [...dialog.querySelectorAll(".details-left, .details-right")].map((column) => column.scrollTop);
  keepingFocus(() => dialog.replaceChildren(head, body));
  // What had the focus may be gone, and a dialog without it is deaf to the keyboard.
  if (dialog.open && !dialog.contains(document.activeElement)) close.focus();
  [left, right].forEach((column, index) => { column.scrollTop = scrolled[index] ?? 0; });
}

// The details, at the line of one member.
export function openDetailsAt(leaf) {
  const dialog = byId("details");
  if (!dialog.open) dialog.showModal();
  byId(`vouching ${leaf}`)?.scrollIntoView({ block: "center" });
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
  list.append(...texts.map((text) => {
    const line = element("li");
    line.append(element("bdi", "", text));
    return line;
  }));
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

function vouching(view, press) {
  if (view.participants.length === 0) return element("p", "nobody", "Nobody is in a meeting with this room.");
  const list = element("ul", "vouching");
  list.append(...view.participants.map((participant) => {
    const assurance = words.assurance(participant.assurance);
    const row = element("li", assurance.isSafe ? "" : "unverified");
    row.id = `vouching ${participant.leaf}`;
    const lines = element("div", "person-lines");
    const first = element("p", "person-name");
    first.append(nameOf(participant, "name"), element("strong", "assurance", assurance.word));
    lines.append(first);
    const because = [
      participant.issuer && `Certificate: ${words.isolated(participant.issuer)}`,
      participant.vouched_by && `Admitted by ${words.isolated(participant.vouched_by)}`,
      participant.role && `as ${words.role(participant)}`,
      !participant.is_self && !participant.is_expected && "not on the invitation",
    ].filter(Boolean);
    if (because.length) lines.append(element("p", "because", because.join(" · ")));
    if (participant.reason) lines.append(element("p", "because", words.isolated(participant.reason)));
    lines.append(memberButtons(participant, view, press));
    row.append(icon(assurance.icon, "assurance-icon"), lines);
    return row;
  }));
  return list;
}
