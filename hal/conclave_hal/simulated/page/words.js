// What a view means, in words of the panel's language. Pure functions of the view but for `speak`.

import arabic from "./words_ar.js";
import english from "./words_en.js";
import german from "./words_de.js";
import japanese from "./words_ja.js";

const TABLES = { ar: arabic, en: english, de: german, ja: japanese };
let table = english;
let rules = new Intl.PluralRules("en");

// Speak this language from now on; English where it is none of ours.
export function speak(language) {
  if (language === table.language) return;
  table = TABLES[language] ?? english;
  rules = new Intl.PluralRules(table.language);
}

export const language = () => ({ language: table.language, direction: table.direction });

// A phrase with its gaps filled. A name is isolated by who calls: not every gap is a stranger's text.
export function text(key, gaps = {}) {
  const phrase = table[key];
  const chosen = typeof phrase === "string" ? phrase : phrase[rules.select(gaps.n)] ?? phrase.other;
  return chosen.replace(/\{(\w+)\}/g, (gap, name) => (name in gaps ? String(gaps[name]) : gap));
}

const LOCK = {
  locked: { icon: "lock-locked" },
  opening: { icon: "lock-opening" },
  broken: { icon: "lock-broken" },
  none: { icon: "lock-none" },
};
const ASSURANCE = {
  verified: { icon: "tick", key: "verified", isSafe: true },
  provider: { icon: "triangle", key: "not_verified", isSafe: false },
  unknown: { icon: "triangle", key: "unknown", isSafe: false },
};

export function assurance(value) {
  const found = ASSURANCE[value] ?? ASSURANCE.unknown;
  return { ...found, word: text(found.key) };
}

export function lock(value) {
  const key = value in LOCK ? value : "broken";
  return { ...LOCK[key], word: text(key), meaning: text(`${key}_meaning`) };
}

export const level = (value) => (`level_${value}` in table ? text(`level_${value}`) : value);

const ROLES = ["host", "member", "guest"];
export const isService = (participant) => participant.role === "service end";
export function role(participant) {
  if (isService(participant)) return text("service_end_long");
  return ROLES.includes(participant.role) ? text(participant.role) : participant.role;
}

export function headline(view) {
  if (view.incoming) return text("called");
  if (view.state === "joining") return text("joining");
  if (view.state === "lobby") return text("in_lobby");
  if (view.refused) return text("refused");
  if (view.state === "left") return text("has_left");
  if (view.state !== "in_meeting") return text("not_in_meeting");
  const count = view.participants.length;
  if (count <= 1) return text("nobody_else");
  const services = view.participants.filter(isService).length;
  const people = text("people", { n: count - services });
  const who = services === 0 ? people : text("two_parts", { first: people, second: text("services", { n: services }) });
  const unverified = view.participants.filter((p) => !assurance(p.assurance).isSafe).length;
  let rest = text("some_not_verified", { n: unverified });
  if (unverified === 0) rest = text("all_verified");
  if (unverified === count) rest = text("none_verified");
  return text("two_parts", { first: who, second: rest });
}

export function notices(view) {
  const leaving = view.minds ? [text("leaving_in", { seconds: view.leaving_in_s, why: isolated(view.minds) })] : [];
  const behind = view.notices.length === 0 && view.lock === "broken" ? [text("behind")] : [];
  const tampered = view.tamper === "tripped" ? [text("tampered")] : [];
  return [...tampered, ...leaving, ...behind, ...view.notices, ...certificate(view.certificate_days)];
}

function certificate(days) {
  if (days === null) return [];
  if (days < 0) return [text("certificate_ended")];
  return [days === 0 ? text("certificate_today") : text("certificate_days", { n: days })];
}

export function invitations(view) {
  const isFree = view.state === "idle" || view.state === "left";
  return isFree ? view.invitations.map((i) => ({ ...i, by: text("invited_by", { host: isolated(i.host) }) })) : [];
}

const NAMES_ON_THE_GLASS = 3;

export function missing(view) {
  if (view.state !== "in_meeting" || view.missing.length === 0) return "";
  const shown = view.missing.slice(0, NAMES_ON_THE_GLASS).map(isolated).join(", ");
  const names = view.missing.length > NAMES_ON_THE_GLASS ? text("and_others", { names: shown }) : shown;
  return text("missing", { names });
}

export const counted = (key, n) => (n > 1 ? text("counted", { what: text(key), n }) : text(key));

// Only a code that stands is compared: one behind a lock that is not closed is struck out.
export const isCodeCurrent = (view) => view.lock === "locked" && view.security_code !== "";

// In the room's own time, as its clock shows it.
export function clockTime(seconds) {
  const when = new Date(seconds * 1000);
  return [when.getHours(), when.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}

export function hasUnverified(view) {
  return view.state === "in_meeting" && view.participants.some((p) => !assurance(p.assurance).isSafe);
}

// What the room calls those who ask; other words stand as they are.
const ASKERS = { "an admin": "an_admin", "the room controller": "the_room_controller" };
const asker = (who) => (who in ASKERS ? text(ASKERS[who]) : isolated(who));

export function stage(view) {
  const name = view.room || text("unnamed_room");
  if (view.incoming) {
    const { asked_by: who, seconds, title } = view.incoming;
    return { name: title || text("a_meeting"), note: text("starts_muted"),
      line: `${text("asked_by", { who: asker(who) })} ${text("joining_in", { n: seconds })}` };
  }
  if (view.refused) return { name: view.title || name, line: text("refused"), note: isolated(view.refused) };
  if (view.state === "joining") {
    return { name: view.title || text("joining_title"), line: text("joining_line"), note: text("nothing_leaves") };
  }
  if (view.state === "lobby") {
    const seen = view.room ? `${text("seen_as", { room: isolated(view.room) })} ` : "";
    return { name: view.title || text("lobby_title"), line: text(view.is_invited ? "invited_line" : "lobby_line"),
      note: seen + text("nothing_leaves") };
  }
  if (view.state === "left") {
    return { name, note: text("left_meaning"),
      line: view.title ? text("left_title", { title: isolated(view.title) }) : text("left_meeting") };
  }
  return { name, line: text("not_in_meeting"), note: view.room ? "" : text("no_certificate") };
}

export function code(view) {
  const groups = view.security_code.split(" ").filter(Boolean);
  const isCurrent = view.lock === "locked";
  if (groups.length === 0) {
    return { groups, isCurrent, caption: "", reason: "", nothing: text(isCurrent ? "code_comes" : "no_code") };
  }
  const gaps = { why: isolated(view.code_reason), time: view.code_time ? clockTime(view.code_time) : "" };
  const reason = view.code_reason ? text(view.code_time ? "changed_at" : "changed", gaps) : "";
  return { groups, isCurrent, caption: text(isCurrent ? "code_caption" : "code_stale"), reason, nothing: "" };
}

// A hardware switch wins, and one that nobody can read is never taken for closed.
export function microphone(view) {
  return control(view, view.microphone_muted, view.mute_switch, {
    icon: "microphone", live: "microphone_on", off: "microphone_off", blocked: "by_switch",
    unread: "switch_unknown", mute: "mute_microphone", unmute: "unmute_microphone",
  });
}

export function camera(view) {
  return control(view, view.camera_muted, view.shutter, {
    icon: "camera", live: "camera_on", off: "camera_off", blocked: "by_shutter",
    unread: "shutter_unknown", mute: "mute_camera", unmute: "unmute_camera",
  });
}

function control(view, isMuted, hardware, keys) {
  const isBlocked = hardware === "blocking";
  const isUnread = !["blocking", "passing", "not fitted"].includes(hardware);
  const isOff = isMuted || isBlocked;
  let why = text(isMuted ? whenOff(view) : whenOn(view));
  if (isBlocked) why = isMuted ? text("and_off_here", { why: text(keys.blocked) }) : text(keys.blocked);
  if (isUnread) why = text(keys.unread);
  return { icon: isOff ? `${keys.icon}-off` : keys.icon, word: text(isOff ? keys.off : keys.live), why, isOff,
    isBlocked, isUnread, isMuted, press: isMuted ? keys.unmute : keys.mute };
}

const whenOff = (view) => (view.state === "in_meeting" ? "turn_on" : "until_turned_on");

function whenOn(view) {
  if (view.state === "idle" || view.state === "left") return "next_meeting";
  return view.lock === "locked" ? "turn_off" : "nothing_sent";
}

export function leave(view) {
  const key = view.state === "in_meeting" ? "leave" : "do_not_join";
  return { word: text(key), why: text(`${key}_why`) };
}

// What members say of themselves; empty while a microphone or camera is live.
const SAID_MICROPHONE = { live: "", muted: "microphone_muted" };
const SAID_CAMERA = { live: "", muted: "camera_muted", closed: "shutter_closed" };
const said = (key) => (key ? text(key) : "");
export const saidMicrophone = (p) => said(SAID_MICROPHONE[p.microphone] ?? "microphone_unknown");
export const saidCamera = (p) => said(SAID_CAMERA[p.camera] ?? "camera_unknown");

// Keeps the direction of a stranger's text from turning the sentence around it.
export const isolated = (text) => `\u2068${text}\u2069`;
