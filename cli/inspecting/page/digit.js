// The current example, drawn or picked: the network's input, its answer, and the desired output.

import { colour, html, listbox, number } from "./dom.js";
import { answerOf } from "./network.js";
import { centred, deslanted, mountPen } from "./ink.js";

// Paint bytes (0 to 255) as a square picture, in the page's colours: dark on light, or light on dark.
export function paintPicture(canvas, pixels, side) {
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.fillStyle = colour("paper");
  context.fillRect(0, 0, side, side);
  context.fillStyle = colour("ink");
  pixels.forEach((value, i) => {
    context.globalAlpha = value / 255;
    if (value) context.fillRect(i % side, Math.floor(i / side), 1, 1);
  });
  context.globalAlpha = 1;
}

export const readAs = ({ label, answer }) =>
  label === answer ? `label ${label}` : `label ${label}, read as ${answer}`;

export function mountDigit(root, data, update) {
  const seen = html("canvas", { class: "seen", role: "img" });
  const verdict = html("p", { class: "verdict", "aria-live": "polite" });
  let said = "";
  const paintSeen = data.side ? mountPictures(root, data, update, seen) : mountNumbers(root, data, update);
  const paintDesired = mountDesired(root, data, update);
  root.append(verdict);

  return (state) => {
    paintSeen(state);
    paintDesired(state);
    const outputs = state.passed.a[data.network.L];
    const answer = answerOf(outputs);
    const desired = data.digits
      ? ` for the desired digit ${answerOf(state.y)}${state.example === null ? ". Set y to the digit you drew" : ""}`
      : "";
    if (said === (said = `${answer} ${state.C_name} ${state.C}${desired}`)) return; // a screen reader announces only changes
    verdict.replaceChildren(
      data.digits
        ? html(
            "span",
            {},
            "The network reads it as ",
            html("b", { id: "answer" }, String(answer)),
            ` (a = ${number(outputs[answer])}). `,
          )
        : "",
      html(
        "span",
        {},
        "Cost ",
        html("span", { class: "is-C" }, state.C_name),
        " = ",
        html("span", { class: "number", id: "cost", "data-value": String(state.C) }, state.C.toFixed(6)),
        `${desired}.`,
      ),
    );
  };
}

function mountPictures(root, data, update, seen) {
  const sheet = html("canvas", {
    class: "sheet",
    width: 280,
    height: 280,
    role: "img",
    "aria-label": "Draw a digit here with a mouse or a finger",
  });
  const { clear, wipe } = mountPen(sheet, (ink) => {
    const drawn = centred(ink, sheet.width, data.side);
    const pixels = data.deslant ? deslanted(drawn, data.side) : drawn;
    update({ example: null, pixels, x: Float64Array.from(pixels, (value) => value * (1 / 255)) });
  });
  const pictures = data.examples.map((example, n) =>
    html(
      "div",
      {
        class: example.label === example.answer ? "thumb" : "thumb misread",
        id: `example-${n}`,
        "aria-label": `example ${example.index}: ${readAs(example)}`,
      },
      html("canvas", {}),
      html(
        "span",
        { "aria-hidden": "true" },
        example.label === example.answer ? String(example.label) : `${example.label}→${example.answer}`,
      ),
    ),
  );
  const gallery = html(
    "div",
    { class: "gallery", "aria-label": `${data.examples.length} images of the ${data.split} split` },
    pictures,
  );
  const columns = () => Math.max(1, pictures.filter((picture) => picture.offsetTop === pictures[0].offsetTop).length);
  const select = listbox(gallery, pictures, columns, (n) => update({ example: n }));
  root.append(
    html(
      "div",
      { class: "sheets" },
      html(
        "figure",
        { class: "screen-only" },
        sheet,
        html("figcaption", {}, "draw here ", html("button", { type: "button", id: "clear", click: clear }, "clear")),
      ),
      html("figure", {}, seen, html("figcaption", {}, `what the network sees: ${data.side} × ${data.side}`)),
    ),
    html(
      "p",
      { class: "hint" },
      "Or pick an image. A label such as ",
      html("span", { class: "misread" }, "6→8"),
      " marks a 6 that the network reads as an 8:",
    ),
    gallery,
  );
  let painted = null;
  return (state) => {
    if (painted !== state.theme) {
      pictures.forEach((picture, n) => paintPicture(picture.firstChild, data.examples[n].pixels, data.side));
      painted = state.theme;
    }
    select(state.example);
    if (state.example !== null) {
      scrollIntoView(gallery, pictures[state.example]);
      wipe();
    }
    paintPicture(seen, state.pixels, data.side);
    seen.setAttribute(
      "aria-label",
      state.example === null
        ? `your drawing, centred${data.deslant ? " and deslanted" : ""}`
        : `example ${data.examples[state.example].index}, ${readAs(data.examples[state.example])}`,
    );
  };
}

function scrollIntoView(container, element) {
  const above = element.offsetTop; // relative to the container, which is positioned
  if (above < container.scrollTop || above + element.offsetHeight > container.scrollTop + container.clientHeight) {
    container.scrollTop = above - container.clientHeight / 2;
  }
}

// Inputs that are not a picture: a number field for each of the first 16.
function mountNumbers(root, data, update) {
  const chosen = html(
    "select",
    { id: "example", "aria-label": "example", change: () => update({ example: Number(chosen.value) }) },
    html("option", { value: "", disabled: true }, "your own numbers"),
    data.examples.map((example, n) => html("option", { value: n }, `example ${example.index}`)),
  );
  const inputs = Array.from({ length: Math.min(data.network.sizes[0], 16) }, (_, i) =>
    html("input", {
      type: "number",
      step: "any",
      "aria-label": `a(0)[${i}]`,
      change: (event) => {
        const x = Float64Array.from(data.current.x);
        x[i] = Number(event.target.value);
        update({ example: null, x });
      },
    }),
  );
  root.append(
    html("p", {}, chosen),
    html(
      "p",
      { class: "inputs" },
      inputs.map((input, i) => html("label", {}, `a(0)[${i}] `, input)),
    ),
  );
  return (state) => {
    chosen.value = state.example === null ? "" : String(state.example);
    inputs.forEach((input, i) => (input.value = String(state.x[i])));
  };
}

// The desired output y: a choice of digits, or a number field for each output neuron.
function mountDesired(root, data, update) {
  const n = data.network.sizes[data.network.L];
  if (data.digits) {
    const buttons = Array.from({ length: n }, (_, digit) =>
      html(
        "label",
        {},
        html("input", {
          type: "radio",
          name: "desired",
          value: digit,
          change: () => update({ y: Float64Array.from({ length: n }, (_, j) => Number(j === digit)) }),
        }),
        String(digit),
      ),
    );
    root.append(
      html(
        "fieldset",
        { class: "desired" },
        html("legend", {}, "desired output ", html("span", { class: "is-y" }, "y"), ": 1 for the digit"),
        buttons,
      ),
    );
    return (state) => buttons.forEach((label, digit) => (label.firstChild.checked = state.y[digit] === 1));
  }
  const inputs = Array.from({ length: n }, (_, j) =>
    html("input", {
      type: "number",
      step: "any",
      "aria-label": `y[${j}]`,
      change: (event) => {
        const y = Float64Array.from(data.current.y);
        y[j] = Number(event.target.value);
        update({ y });
      },
    }),
  );
  root.append(
    html(
      "p",
      { class: "inputs" },
      inputs.map((input, j) => html("label", {}, html("span", { class: "is-y" }, `y[${j}] `), input)),
    ),
  );
  return (state) => inputs.forEach((input, j) => (input.value = String(state.y[j])));
}
