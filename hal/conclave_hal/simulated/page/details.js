// The page behind the lock: what protects the meeting, who vouches for whom, and what does not hold.

import { byId, element, icon, keepingFocus, nameOf } from "./elements.js";
import { hostSection, memberButtons } from "./hosting.js";
import * as words from "./words.js";

const SEES = ["sees_addresses", "sees_amounts"];
const CANNOT = ["cannot_read", "cannot_admit"];
const MISSING = ["no_recording", "no_captions", "no_telephone"];

let drawnFor = "";

export function drawDetails(view, press, phone) {
  const dialog = byId("details");
  // A meeting that begins, ends or is asked for is not to happen behind them: people may want to refuse it.
  const stage = `${view.state} ${view.incoming !== null}`;
  if (stage !== drawnFor) dialog.close();
  drawnFor = stage;
  const head = element("header", "details-head");
  const name = element("h2", "", words.text("details"));
  name.id = "details-name";
  const close = element("button", "details-close");
  close.type = "button";
  close.id = "details-close";
  close.append(icon("close"), element("span", "", words.text("close")));
  close.addEventListener("click", () => dialog.close());
  head.append(icon(words.lock(view.lock).icon, `details-lock ${view.lock}`), name, close);

  const left = element("div", "details-left");
  left.append(section(words.text("protection"), facts(view)),
    section(words.text("who_vouches"), vouching(view, press)));
  if (view.missing.length) left.append(section(words.text("expected"), bullets(view.missing)));
  const right = element("div", "details-right");
  if (view.is_host && view.state === "in_meeting") right.append(section(words.text("as_a_host"), hostSection(view, press)));
  if (phone) right.append(section(words.text("with_a_phone"), phoneCode(phone)));
  right.append(
    section(words.text("service_sees"), bullets(SEES.map((key) => words.text(key)))),
    section(words.text("service_cannot"), bullets(CANNOT.map((key) => words.text(key)))),
    section(words.text("not_available"), bullets(MISSING.map((key) => words.text(key)))),
    section(words.text("not_settled"), element("p", "caveat", words.text("caveat"))),
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

// Always dark on light, whatever the panel's colours: that is what phones look for.
function phoneCode(phone) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("class", "phone-code");
  svg.setAttribute("viewBox", `0 0 ${phone.size} ${phone.size}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words.text("with_a_phone"));
  const dark = document.createElementNS(namespace, "path");
  dark.setAttribute("d", phone.path);
  svg.append(dark);
  const made = element("div", "phone");
  made.append(svg, element("p", "because", words.text("phone_meaning")));
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
  const epoch = view.state === "in_meeting" ? words.text("epoch_value", { epoch: view.epoch, code_epoch: view.code_epoch }) : "";
  const rows = [["key_agreement", view.suite], ["sound_and_picture", view.sframe_suite], ["epoch", epoch],
    ["who_may_join", words.level(view.level)], ["service", view.service]];
  for (const [term, value] of rows) {
    const row = element("div");
    const answer = element("dd");
    answer.append(element("bdi", "", value || words.text("none_now")));
    row.append(element("dt", "", words.text(term)), answer);
    list.append(row);
  }
  return list;
}

function voucher(participant) {
  const isInvitation = participant.vouched_by === "the invitation";
  return isInvitation ? words.text("the_invitation") : words.isolated(participant.vouched_by);
}

function vouching(view, press) {
  if (view.participants.length === 0) return element("p", "nobody", words.text("nobody"));
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
      participant.issuer && words.text("certificate_by", { issuer: words.isolated(participant.issuer) }),
      participant.vouched_by && words.text("admitted_by", { name: voucher(participant) }),
      words.saidMicrophone(participant),
      words.saidCamera(participant),
      participant.role && words.text("as_role", { role: words.role(participant) }),
      !participant.is_self && !participant.is_expected && words.text("not_on_invitation"),
    ].filter(Boolean);
    if (because.length) lines.append(element("p", "because", because.join(" · ")));
    if (participant.reason) lines.append(element("p", "because", words.isolated(participant.reason)));
    lines.append(memberButtons(participant, view, press));
    row.append(icon(assurance.icon, "assurance-icon"), lines);
    return row;
  }));
  return list;
}
