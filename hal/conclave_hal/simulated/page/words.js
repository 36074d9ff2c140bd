// What a view means, in words. Pure functions of the view; nothing here touches the page.

export const LOCK = {
  locked: { icon: "lock-locked", word: "Locked", meaning: "end-to-end encrypted" },
  opening: { icon: "lock-opening", word: "Opening", meaning: "nothing is sent" },
  broken: { icon: "lock-broken", word: "Broken", meaning: "sending has stopped" },
  none: { icon: "lock-none", word: "No lock", meaning: "no meeting" },
};

export const ASSURANCE = {
  verified: { icon: "tick", word: "verified", isSafe: true },
  provider: { icon: "triangle", word: "not verified", isSafe: false },
  unknown: { icon: "triangle", word: "unknown, not verified", isSafe: false },
};

export const assurance = (value) => ASSURANCE[value] ?? ASSURANCE.unknown;
export const lock = (value) => LOCK[value] ?? LOCK.broken;

const LEVEL = { locked: "Verified participants only", standard: "Guests allowed" };
export const level = (value) => LEVEL[value] ?? value;

export const isService = (participant) => participant.role === "service end";
export const role = (participant) => (isService(participant) ? "service end, which only receives" : participant.role);

export function headline(view) {
  if (view.incoming) return "Asked from outside to join";
  if (view.state === "joining") return "Joining the meeting";
  if (view.state === "lobby") return "Waiting to be let in";
  if (view.refused) return "Refused by this room's own rules";
  if (view.state === "left") return "This room has left";
  if (view.state !== "in_meeting") return "Not in a meeting";
  const count = view.participants.length;
  if (count <= 1) return "Nobody else is here";
  const services = view.participants.filter(isService).length;
  const people = `${count - services} ${count - services === 1 ? "person" : "people"}`;
  const who = services === 0 ? people : `${people}, ${services} service ${services === 1 ? "end" : "ends"}`;
  const unverified = view.participants.filter((p) => !assurance(p.assurance).isSafe).length;
  if (unverified === 0) return `${who}, all verified`;
  if (unverified === count) return `${who}, none verified`;
  return `${who}, ${unverified} not verified`;
}

export function notices(view) {
  const leaving = view.minds ? [`Leaving in ${view.leaving_in_s} s: ${isolated(view.minds)}`] : [];
  const behind = view.notices.length === 0 && view.lock === "broken" ? ["This device is behind."] : [];
  return [...tampered(view), ...leaving, ...behind, ...view.notices, ...certificate(view)];
}

function tampered(view) {
  if (view.tamper !== "tripped") return [];
  return ["The case of this device was opened. Do not trust it until its administrator has looked at it."];
}

function certificate(view) {
  const days = view.certificate_days;
  if (days === null) return [];
  if (days < 0) return ["This room's certificate has ended: others see it as not verified. Tell its administrator."];
  const when = days === 0 ? "today" : `in ${days} ${days === 1 ? "day" : "days"}`;
  return [`This room's certificate ends ${when} and was not renewed. Tell its administrator.`];
}

export const SPEAK = "Speak the code";
export const INCOMING = { accept_join: "Join now", refuse_join: "Refuse" };
export const INVITATIONS = { name: "Today", now: "now", join: "Join" };

export function invitations(view) {
  const isFree = view.state === "idle" || view.state === "left";
  return isFree ? view.invitations.map((i) => ({ ...i, by: `by ${isolated(i.host)}` })) : [];
}

const NAMES_ON_THE_GLASS = 3;

export function missing(view) {
  if (view.state !== "in_meeting" || view.missing.length === 0) return "";
  const shown = view.missing.slice(0, NAMES_ON_THE_GLASS).map(isolated).join(", ");
  return `Expected, not here: ${shown}${view.missing.length > NAMES_ON_THE_GLASS ? " and others" : ""}`;
}

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

export function stage(view) {
  const name = view.room || "A room without a name";
  if (view.incoming) {
    return { name: view.incoming.title || "A meeting",
      line: `Asked by ${isolated(view.incoming.asked_by)}. Joining in ${view.incoming.seconds} s.`,
      note: "Microphone and camera stay off until somebody here turns them on." };
  }
  if (view.refused) {
    return { name: view.title || name, line: "Refused by this room's own rules", note: isolated(view.refused) };
  }
  if (view.state === "joining") {
    return { name: view.title || "Joining", line: "Keys are being agreed with those inside.",
      note: "No picture and no sound leaves this room yet." };
  }
  if (view.state === "lobby") {
    return { name: view.title || "Waiting in the lobby", 
      line: view.is_invited ? "Invited. Waiting for a host to come." : "A host has to let this room in.",
      note: view.room ? `Hosts see it as ${isolated(view.room)}. No picture and no sound leaves this room yet.`
        : "No picture and no sound leaves this room yet." };
  }
  if (view.state === "left") {
    return { name, line: view.title ? `This room has left ${isolated(view.title)}.` : "This room has left the meeting.",
      note: "It sends nothing and can read nothing that is sent from now on." };
  }
  return { name, line: "Not in a meeting",
    note: view.room ? "" : "This device has no certificate yet. An administrator gives the room its domain." };
}

export function code(view) {
  const groups = view.security_code.split(" ").filter(Boolean);
  const isCurrent = view.lock === "locked";
  if (groups.length === 0) {
    return { groups, isCurrent, caption: "", reason: "",
      nothing: view.lock === "locked" ? "A code appears as soon as somebody joins." : "No code to compare." };
  }
  return {
    groups,
    isCurrent,
    caption: isCurrent ? "Read it aloud. Same digits on every panel: nobody is in between. Tick whom you compared with."
      : "Not current. Do not compare it now.",
    reason: view.code_reason ? `Changed because: ${isolated(view.code_reason)}${at(view.code_time)}` : "",
    nothing: "",
  };
}

const at = (seconds) => (seconds ? `, at ${clockTime(seconds)}` : "");

// What members say of themselves; empty while a microphone or camera is live.
const SAID_MICROPHONE = { live: "", muted: "microphone off" };
const SAID_CAMERA = { live: "", muted: "camera off", closed: "shutter closed" };
export const saidMicrophone = (p) => SAID_MICROPHONE[p.microphone] ?? "microphone unknown";
export const saidCamera = (p) => SAID_CAMERA[p.camera] ?? "camera unknown";

// A hardware switch wins, and one that nobody can read is never taken for closed.
export function microphone(view) {
  return control(view, view.microphone_muted, view.mute_switch, {
    icon: "microphone", live: "Microphone on", off: "Microphone off", blocked: "by the room's switch",
    unread: "room's switch unknown: not safe", mute: "mute_microphone", unmute: "unmute_microphone",
  });
}

export function camera(view) {
  return control(view, view.camera_muted, view.shutter, {
    icon: "camera", live: "Camera on", off: "Camera off", blocked: "shutter is closed",
    unread: "shutter unknown: not safe", mute: "mute_camera", unmute: "unmute_camera",
  });
}

function control(view, isMuted, hardware, words) {
  const isBlocked = hardware === "blocking";
  const isUnread = !isBlocked && hardware !== "passing";
  const isOff = isMuted || isBlocked;
  let why = isMuted ? whenOff(view) : whenOn(view);
  if (isBlocked) why = isMuted ? `${words.blocked}, and off here` : words.blocked;
  if (isUnread) why = words.unread;
  return { icon: isOff ? `${words.icon}-off` : words.icon, word: isOff ? words.off : words.live, why, isOff,
    isBlocked, isUnread, isMuted, press: isMuted ? words.unmute : words.mute };
}

function whenOff(view) {
  return view.state === "in_meeting" ? "press to turn on" : "until somebody here turns it on";
}

function whenOn(view) {
  if (view.state === "idle" || view.state === "left") return "in the next meeting";
  return view.lock === "locked" ? "press to turn off" : "but nothing is sent now";
}

export function leave(view) {
  if (view.state === "in_meeting") return { word: "Leave", why: "this room goes, the meeting stays" };
  return { word: "Do not join", why: "stop waiting" };
}

// Keeps the direction of a stranger's text from turning the sentence around it.
export const isolated = (text) => `\u2068${text}\u2069`;
