// The digits as large as the glass carries, for those who sit far away.

import { byId, element, icon, keepingFocus } from "./elements.js";
import * as words from "./words.js";

export function drawLargeCode(view, press) {
  const dialog = byId("large-code");
  const code = words.code(view);
  byId("enlarge").hidden = code.groups.length === 0;
  // Digits that are gone are nobody's to compare.
  if (code.groups.length === 0) dialog.close();
  if (!dialog.open) return;
  const head = element("header", "details-head");
  const name = element("h2", "", code.caption);
  name.id = "large-name";
  const close = element("button", "details-close");
  close.type = "button";
  close.id = "large-close";
  close.append(icon("close"), element("span", "", words.text("close")));
  close.addEventListener("click", () => dialog.close());
  head.append(name);
  if (words.isCodeCurrent(view)) {
    const speak = element("button", "details-close", words.text("speak"));
    speak.type = "button";
    speak.id = "large-speak";
    speak.addEventListener("click", () => press("speak_code"));
    head.append(speak);
  }
  head.append(close);
  const groups = element("ol", code.isCurrent ? "large-groups" : "large-groups is-struck");
  groups.append(...code.groups.map((digits) => element("li", "", digits)));
  keepingFocus(() => dialog.replaceChildren(head, groups));
}

export function openLargeCode(view, press) {
  byId("large-code").showModal();
  drawLargeCode(view, press);
}
