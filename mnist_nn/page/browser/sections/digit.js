// The current example, drawn or picked: the network's input, its answer, and the desired output.

import { colour, field, formula, html, listbox, numberField, unsigned, variable } from "../parts/dom.js";
import { answerOf, oneAt } from "../mathematics/network.js";
import { centred, deslanted, mountPen } from "../parts/ink.js";
import { Unreadable, digitOn } from "../parts/photograph.js";
import { mountPictureFiles } from "../parts/picture_file.js";

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
  const paintOutputs = mountOutputs(data);
  const [above, below] = [html("div", {}), html("div", {})];
  const paintSeen = data.side
    ? mountPictures(above, below, data, update, seen, paintOutputs.element)
    : mountNumbers(above, data, update);
  const paintDesired = mountDesired(above, data, update);
  root.append(above, verdict, below);

  return (state) => {
    paintSeen(state);
    paintOutputs.render(state);
    paintDesired(state);
    const outputs = state.passed.a[data.network.L];
    const answer = answerOf(outputs);
    const desired = data.digits ? ` for the desired digit ${answerOf(state.y)}` : "";
    const doubt = state.follows ? ", as it is read. If you drew another digit, choose it above" : "";
    const say = [answer, state.C_index, state.C, desired, doubt, state.isBlank, state.allDigits].join();
    if (said === (said = say)) return; // a screen reader announces only changes
    if (state.isBlank) {
      verdict.replaceChildren(
        "Draw a digit, or pick an image. Until then section 2 shows the activations for an empty picture.",
      );
      return;
    }
    verdict.replaceChildren(
      data.digits
        ? html(
            "span",
            {},
            "The network reads it as ",
            html("b", { id: "answer" }, String(answer)),
            " (",
            formula(variable("a", data.network.L, answer)),
            ` = ${unsigned(outputs[answer])}). `,
          )
        : "",
      html(
        "span",
        {},
        "Cost ",
        formula(variable("C", null, state.C_index)),
        " = ",
        html("span", { id: "cost" }, field(null, state.C, unsigned)),
        `${desired}${doubt}.`,
      ),
    );
  };
}

// A bar for each output, so that a drawing and its effect are in one view.
function mountOutputs(data) {
  const L = data.network.L;
  const rows = Array.from({ length: data.network.sizes[L] }, (_, j) => {
    const fill = html("span", { class: "fill" });
    const value = html("span", { class: "value" });
    return {
      fill,
      value,
      row: html("li", {}, html("span", {}, String(j)), html("span", { class: "length" }, fill), value),
    };
  });
  const element = html(
    "ol",
    { class: "outputs", "aria-label": "the outputs" },
    rows.map(({ row }) => row),
  );
  return {
    element,
    render({ passed, y }) {
      const a = passed.a[L];
      const answer = answerOf(a);
      rows.forEach(({ fill, value, row }, j) => {
        fill.style.width = `${100 * Math.max(0, Math.min(1, a[j]))}%`;
        value.textContent = unsigned(a[j]);
        row.classList.toggle("answer", j === answer);
        row.classList.toggle("wanted", y[j] === 1);
      });
    },
  };
}

// Mount the sheet to draw on above, and the images to pick below.
function mountPictures(above, below, data, update, seen, outputs) {
  const sheet = html("canvas", {
    class: "sheet",
    width: 280,
    height: 280,
    role: "img",
    "aria-label": "Draw a digit here with a mouse or a finger",
  });
  const study = (own) => {
    const pixels = data.deslant ? deslanted(own, data.side) : own;
    // Until the user says which digit it is, a fresh drawing's y is the digit that the network reads.
    const { example, follows } = data.current;
    const isFresh = example !== null || pixels.every((value) => value === 0);
    update({
      example: null,
      pixels,
      x: Float64Array.from(pixels, (value) => value * (1 / 255)),
      follows: data.digits && (isFresh || follows),
    });
  };
  const { clear, wipe, show } = mountPen(sheet, (ink) => study(centred(ink, sheet.width, data.side)));
  const refused = html("p", { id: "refused", role: "status" });
  const open = mountPictureFiles(
    (grey) => {
      const own = pictureOf(grey, data.side);
      clear(); // a picture is a fresh drawing
      show(own, data.side);
      study(own);
    },
    (sentence) => refused.replaceChildren(sentence),
  );
  const pictures = data.examples.map((_, n) =>
    html(
      "div",
      { class: "thumb", id: `example-${n}` },
      html("span", { class: "picture" }),
      html("span", { "aria-hidden": "true" }),
    ),
  );
  const gallery = html(
    "div",
    { class: "gallery", "aria-label": `${data.examples.length} images of ${data.source}` },
    pictures,
  );
  const paintGallery = mountGallery(gallery, pictures, data);
  const columns = () => Math.max(1, pictures.filter((picture) => picture.offsetTop === pictures[0].offsetTop).length);
  const select = listbox(gallery, pictures, columns, (n) => update({ example: n }));
  above.append(
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
      outputs,
    ),
  );
  below.append(
    html("p", { class: "hint" }, "Or drop a picture of a digit here, or ", open, "."),
    refused,
    html(
      "p",
      { class: "hint" },
      "Or pick an image. A label such as ",
      html("span", { class: "misread" }, "6→8"),
      " marks a 6 that the network reads as an 8:",
    ),
    gallery,
  );
  let painted = null; // the theme of the pictures
  let shown = null; // the pixels that are shown large
  let read = null; // the version of the network whose answers the pictures show
  return (state) => {
    if (read !== state.version) {
      pictures.forEach((picture, n) => labelPicture(picture, data.examples[n]));
      read = state.version;
    }
    const isRepainted = painted !== state.theme;
    if (isRepainted) {
      paintGallery();
      painted = state.theme;
    }
    if (shown === state.pixels && !isRepainted) return;
    shown = state.pixels;
    refused.replaceChildren();
    select(state.example);
    if (state.example !== null) {
      scrollIntoView(gallery, pictures[state.example]);
      wipe();
    }
    paintPicture(seen, state.pixels, data.side);
    seen.setAttribute(
      "aria-label",
      state.example === null
        ? `your own digit${data.deslant ? ", deslanted" : ""}`
        : `example ${data.examples[state.example].index}, ${readAs(data.examples[state.example])}`,
    );
  };
}

// Return a picture file's digit as the network's examples are. A picture of their size is taken as it is; only if its
// border is bright it is inverted.
function pictureOf(grey, side) {
  const { values, width, height } = grey;
  if (width !== side || height !== side) {
    const { ink, side: sheet } = digitOn(grey);
    return centred(ink, sheet, side);
  }
  const along = Array.from({ length: side }, (_, i) => [i, side * (side - 1) + i, side * i, side * i + side - 1]);
  const border = Uint8Array.from(along.flat(), (i) => values[i]).sort();
  const median = (border[2 * side - 1] + border[2 * side]) / 2;
  const own = values.map((value) => (median > 127 ? 255 - value : value));
  if (own.every((value) => value === 0)) throw new Unreadable("is blank; write a digit on it");
  return own;
}

// Paint all pictures of the gallery on one canvas behind them. With a canvas for each, the browser would have a layer for
// each to put together in every frame of a movement.
function mountGallery(gallery, pictures, data) {
  const sheet = html("canvas", { class: "thumbs", "aria-hidden": "true" });
  const tile = html("canvas", {});
  gallery.prepend(sheet);
  function paint() {
    sheet.style.height = "0"; // it must not make the gallery taller than its pictures
    const [width, height, scale] = [gallery.clientWidth, gallery.scrollHeight, devicePixelRatio];
    Object.assign(sheet, { width: width * scale, height: height * scale });
    Object.assign(sheet.style, { width: `${width}px`, height: `${height}px` });
    const context = sheet.getContext("2d");
    context.imageSmoothingEnabled = false;
    pictures.forEach((picture, n) => {
      const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = picture.firstChild;
      paintPicture(tile, data.examples[n].pixels, data.side);
      context.drawImage(tile, offsetLeft * scale, offsetTop * scale, offsetWidth * scale, offsetHeight * scale);
    });
  }
  let seen = 0; // the width that it was painted for
  new ResizeObserver(() => {
    if (gallery.clientWidth !== seen) paint();
    seen = gallery.clientWidth;
  }).observe(gallery);
  return paint;
}

function labelPicture(picture, example) {
  const isRight = example.label === example.answer;
  const text = isRight ? String(example.label) : `${example.label}→${example.answer}`;
  if (picture.lastChild.textContent === text) return;
  picture.lastChild.textContent = text;
  picture.classList.toggle("misread", !isRight);
  picture.setAttribute("aria-label", `example ${example.index}: ${readAs(example)}`);
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
    numberField({ step: "any", "aria-label": `a(0)[${i}]` }, (value) => {
      const x = Float64Array.from(data.current.x);
      x[i] = value;
      update({ example: null, x });
    }),
  );
  root.append(
    html("p", {}, chosen),
    html(
      "p",
      { class: "inputs" },
      inputs.map((input, i) => html("label", {}, formula(variable("a", 0, i)), " ", input.element)),
    ),
  );
  return (state) => {
    chosen.value = state.example === null ? "" : String(state.example);
    inputs.forEach((input, i) => input.show(state.x[i]));
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
          change: () => update({ y: oneAt(digit, n) }),
        }),
        String(digit),
      ),
    );
    root.append(
      html(
        "fieldset",
        { class: "desired" },
        html("legend", {}, "desired digit: its ", formula(variable("y", null)), " is 1"),
        buttons,
      ),
    );
    return (state) =>
      buttons.forEach((label, digit) => {
        label.firstChild.checked = state.y[digit] === 1 && !(state.isBlank && state.follows);
      });
  }
  const inputs = Array.from({ length: n }, (_, j) =>
    numberField({ step: "any", "aria-label": `y[${j}]` }, (value) => {
      const y = Float64Array.from(data.current.y);
      y[j] = value;
      update({ y });
    }),
  );
  root.append(
    html(
      "p",
      { class: "inputs" },
      inputs.map((input, j) => html("label", {}, formula(variable("y", null, j)), " ", input.element)),
    ),
  );
  return (state) => inputs.forEach((input, j) => input.show(state.y[j]));
}
