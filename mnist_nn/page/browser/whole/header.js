// The page's own settings: how many digits, and light or dark.

import { html } from "../parts/dom.js";

export function mountHeader(root, data, update) {
  const digits = html("input", {
    type: "checkbox",
    id: "all-digits",
    change: () => update({ allDigits: digits.checked }),
  });
  const theme = html(
    "select",
    {
      id: "theme",
      change: () => {
        if (theme.value) document.documentElement.dataset.theme = theme.value;
        else delete document.documentElement.dataset.theme;
        update({});
      },
    },
    [
      ["", "of the system"],
      ["light", "light"],
      ["dark", "dark"],
    ].map(([value, name]) => html("option", { value }, name)),
  );
  root.append(
    html("label", {}, digits, " all digits of every number"),
    html("label", {}, "theme ", theme),
    html("button", { type: "button", id: "start-tour", click: () => update({ tour: 0 }) }, "tour"),
    html("button", { type: "button", id: "start-slides", click: () => update({ slide: "digit-layers" }) }, "present"),
  );
  return (state) => {
    digits.checked = state.allDigits;
  };
}
