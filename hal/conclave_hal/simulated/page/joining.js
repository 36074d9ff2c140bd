// Ways into a meeting: what is asked from outside, which people accept or refuse, and today's invitations.

import { byId, element, keepingFocus } from "./elements.js";
import * as words from "./words.js";

// A finger on its way to one button must not hit another that has just appeared under it.
const SETTLE_MS = 600;
let drawn = "";
let drawnAt = 0;

export function drawWaysIn(view, press) {
  // Drawn anew only when it differs, so that a press is not lost between two seconds of a countdown.
  const shown = JSON.stringify([view.language, view.incoming && view.incoming.title, words.invitations(view)]);
  if (shown === drawn) return;
  drawn = shown;
  drawnAt = performance.now();
  keepingFocus(() => {
    drawIncoming(view, press);
    drawInvitations(view, press);
  });
}

function whenSettled(act) {
  return (event) => {
    const isFinger = event.isTrusted && event.detail > 0;
    if (!isFinger || performance.now() - drawnAt >= SETTLE_MS) act();
  };
}

function drawIncoming(view, press) {
  const place = byId("incoming");
  place.hidden = !view.incoming;
  place.replaceChildren();
  if (!view.incoming) return;
  for (const kind of ["accept_join", "refuse_join"]) {
    const button = element("button", kind, words.text(kind));
    button.type = "button";
    button.id = kind;
    button.addEventListener("click", whenSettled(() => press(kind)));
    place.append(button);
  }
}

function drawInvitations(view, press) {
  const shown = words.invitations(view);
  byId("invitations").hidden = shown.length === 0;
  byId("invitations-name").textContent = words.text("today");
  byId("invitation-list").replaceChildren(...shown.map((invitation) => {
    const row = element("li", invitation.is_now ? "invitation is-now" : "invitation");
    const lines = element("div", "person-lines");
    const first = element("p", "person-name");
    first.append(element("span", "invitation-time", invitation.time), element("bdi", "name", invitation.title));
    const second = element("p", "person-facts");
    second.append(element("bdi", "", invitation.by));
    if (invitation.is_now) second.append(element("strong", "", words.text("now")));
    lines.append(first, second);
    const button = element("button", "join", words.text("join"));
    button.type = "button";
    button.id = `join ${invitation.invitation_id}`;
    button.setAttribute("aria-label", words.text("with_name", { what: words.text("join"), name: words.isolated(invitation.title) }));
    button.addEventListener("click", 
      whenSettled(() => press("join", { invitation_id: invitation.invitation_id })));
    row.append(lines, button);
    return row;
  }));
}
