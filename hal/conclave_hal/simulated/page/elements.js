// The smallest parts of the page. Every text goes through textContent: names are strangers' input.

import * as words from "./words.js";

export const byId = (id) => document.getElementById(id);

export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

export function icon(name, className = "") {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("aria-hidden", "true");
  if (className) svg.setAttribute("class", className);
  const use = document.createElementNS(namespace, "use");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

// A name in its own direction; one that nobody vouches for stands in quotation marks.
export function nameOf(participant, className) {
  const name = element("bdi", className, participant.name);
  name.title = participant.name;
  if (!words.assurance(participant.assurance).isSafe) name.classList.add("claimed");
  return name;
}

export function keepingFocus(change) {
  const focused = document.activeElement?.id;
  change();
  if (focused && document.activeElement?.id !== focused) byId(focused)?.focus({ preventScroll: true });
}
