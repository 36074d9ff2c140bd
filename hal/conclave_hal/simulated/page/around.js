// The simulated room around the glass: switches and buttons under people's hands. Not part of the panel.

import { byId, element } from "./elements.js";

const LABELS = { microphone: "Mic", camera: "Cam", leave: "Leave", join: "Join", up: "▲", down: "▼",
  select: "OK", back: "Back", speak: "Speak" };

export function drawSwitches(switches) {
  for (const name of ["shutter", "mute_switch", "tamper"]) {
    const fieldset = byId(`switch-${name}`);
    fieldset.hidden = !(name in switches);
    for (const input of fieldset.querySelectorAll("input")) input.checked = input.value === switches[name];
  }
}

// The room's lamps, in words.
export function drawLamps(lamps) {
  const place = byId("lamps");
  place.hidden = !lamps;
  if (!lamps) return;
  const lit = [lamps.mute && "mute", lamps.camera && "camera"].filter(Boolean).join(", ");
  place.textContent = `Ring: ${lamps.ring}. Lit: ${lit || "none"}`;
}

export function drawButtons(buttons, say) {
  const place = byId("buttons");
  if (place.children.length === buttons.length) return;
  place.hidden = buttons.length === 0;
  document.querySelector(".around-name").hidden = buttons.length > 0;
  place.replaceChildren(...buttons.map((name) => {
    const button = element("button", "", LABELS[name] ?? name);
    button.type = "button";
    button.id = `button ${name}`;
    button.setAttribute("aria-label", `Button ${name}`);
    // A hand on a button beside the panel does not move what is selected on it.
    button.addEventListener("pointerdown", (event) => event.preventDefault());
    button.addEventListener("click", () => say({ type: "button", button: name }));
    return button;
  }));
}

// Up and down select what can be pressed on the glass, one after the other; select presses it.
export function navigate(button) {
  const dialog = document.querySelector("dialog[open]");
  if (button === "back") {
    dialog?.close();
    document.activeElement?.blur();
    return;
  }
  const place = dialog ?? byId("glass");
  const all = [...place.querySelectorAll("button")].filter((each) => !each.disabled && each.checkVisibility());
  const at = all.indexOf(document.activeElement);
  if (button === "select") {
    all[at]?.click();
    return;
  }
  const step = button === "down" ? 1 : -1;
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : (at + step + all.length) % all.length;
  all[next]?.focus();
}
