// The page's connection: views come in and are acknowledged once painted, presses go out.

import { drawButtons, drawLamps, drawSwitches, navigate } from "./around.js";
import { draw, markCut } from "./draw.js";
import { drawDetails, openDetailsAt, toggleDetails } from "./details.js";
import { byId } from "./elements.js";
import { drawLargeCode, openLargeCode } from "./large_code.js";
import * as words from "./words.js";

const RETRY_MS = [250, 500, 1000, 2000, 4000];
let socket = null;
let failures = 0;
let sequence = 0;
let latest = null;

const say = (message) => {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
};
// What a press concerns: {request_id} or {leaf}, or nothing.
const press = (kind, concerns = {}) => say({ type: "press", kind, ...concerns });

function connect() {
  const address = new URL("socket", location.href);
  address.protocol = "ws:";
  socket = new WebSocket(address);
  socket.addEventListener("message", (event) => receive(JSON.parse(event.data)));
  socket.addEventListener("close", lost);
}

function receive(message) {
  failures = 0;
  if (message.type === "navigate") {
    navigate(message.button);
    return;
  }
  sequence = message.sequence;
  drawSwitches(message.switches);
  drawLamps(message.lamps);
  drawButtons(message.buttons, say);
  document.body.dataset.connection = message.view ? "open" : "opening";
  byId("glass").inert = !message.view;
  if (!message.view) {
    byId("lost-title").textContent = words.text("starting");
    byId("lost-line").textContent = words.text("starting_line");
  } else {
    draw(message.view, press, openDetailsAt);
    latest = message.view;
    drawLargeCode(latest, press);
    drawDetails(message.view, press, message.phone);
  }
  acknowledge();
}

// A frame callback runs before the paint of its frame, so the second one runs after it.
function acknowledge() {
  if (document.hidden) {
    say({ type: "hidden" });
    return;
  }
  const painted = sequence;
  requestAnimationFrame(() => requestAnimationFrame(() => say({ type: "drawn", sequence: painted })));
}

// Without its room the glass would go on showing a lock that nobody stands behind any more.
function lost() {
  document.body.dataset.connection = "lost";
  byId("glass").inert = true;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  byId("lost-title").textContent = words.text("lost");
  byId("lost-line").textContent = words.text("lost_line");
  setTimeout(connect, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
}

for (const input of document.querySelectorAll(".switch input")) {
  input.addEventListener("change", () => say({ type: "switch", switch: input.name, position: input.value }));
}
byId("enlarge").addEventListener("click", () => latest && openLargeCode(latest, press));
byId("lock").addEventListener("click", toggleDetails);
byId("stage-lock").addEventListener("click", toggleDetails);
// Which invitation has the focus: a button beside the panel may be pressed for it.
for (const kind of ["focusin", "focusout"]) {
  byId("invitation-list").addEventListener(kind, (event) => {
    const chosen = kind === "focusin" ? event.target.id.replace(/^join /, "") : "";
    say({ type: "selected", invitation_id: chosen });
  });
}
window.addEventListener("resize", markCut);
document.addEventListener("visibilitychange", acknowledge);
connect();
