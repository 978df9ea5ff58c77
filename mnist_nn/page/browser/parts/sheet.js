// A sheet of equations, built once for a parameter and then set in every frame: its numbers, sentences, and sums that
// unfold. Beside each number its value before the last training steps can be shown.

import { formula, html } from "./dom.js";
import { operatorColumn, together } from "../chain/equations.js";
import { liveNumber, liveSentence, liveText, signOf, sizeOf } from "./live.js";
import { meaningOf } from "../chain/meaning.js";
import { mountTerms } from "../chain/terms.js";

export class Sheet {
  // `unfolded` is a set with the names of what is unfolded. It outlives the sheet.
  constructor(data, unfolded) {
    this.data = data;
    this.unfolded = unfolded;
    this.setters = []; // functions of the state
    this.sentences = {};
  }

  set(state) {
    for (const set of this.setters) set(state);
    const meaning = meaningOf(state, this.data);
    for (const [name, sentence] of Object.entries(this.sentences)) sentence.set(meaning[name]);
  }

  // A number: `of` returns its value in a state.
  number(of, format, path = null) {
    const live = liveNumber(format);
    this.setters.push((state) => live.set(of(state), state.before ? of(state.before) : null, path));
    return live;
  }

  // The sign of a number, as the operator before it.
  signOf(of) {
    const live = liveText();
    this.setters.push((state) => live.set(signOf(of(state))));
    return live.element;
  }

  // What a factor means: the sentence of this name in `meaningOf`.
  meaning(name) {
    this.sentences[name] = liveSentence("p", { class: "why" });
    return this.sentences[name].element;
  }

  // A column that is a button: it unfolds what its number is made of. `update` is called when it is unfolded or folded.
  button(name, title, { symbol, between = null, live }, update) {
    const { unfolded } = this;
    const button = html(
      "button",
      {
        type: "button",
        class: "term unfolds",
        "data-key": name,
        title,
        click: () => {
          if (!unfolded.delete(name)) unfolded.add(name);
          update();
        },
      },
      html("span", { class: "symbol" }, formula(symbol)),
      between === null ? null : html("span", { class: "between" }, between),
      html("span", { class: "now" }, live.element),
      live.earlier,
    );
    this.setters.push(() => button.setAttribute("aria-expanded", String(unfolded.has(name))));
    return button;
  }

  // The other terms of a sum, as a button that unfolds all terms in a panel. `of` returns the sum of the others, `kind` is
  // what `mountTerms` needs, and `values` returns what its `show` needs. Returns the columns and the panel.
  others(name, of, { symbol, between = null, isFirst = false }, kind, values) {
    const { data, unfolded } = this;
    const panel = html("div", { class: "unfolded", id: `terms-${name}` });
    const key = `unfold-${name}`;
    let terms = null;
    const set = (state) => {
      panel.hidden = !unfolded.has(key);
      if (panel.hidden) return;
      if (!terms) panel.append((terms = mountTerms(kind)).element);
      terms.show(...values(state), Boolean(state.before));
    };
    const live = this.number(of, isFirst ? undefined : sizeOf);
    const button = this.button(key, "show every term of this sum", { symbol, between, live }, () => {
      button.setAttribute("aria-expanded", String(unfolded.has(key)));
      set(data.current);
    });
    button.setAttribute("aria-controls", panel.id);
    this.setters.push(set);
    const sign = isFirst ? operatorColumn("=") : operatorColumn("+", this.signOf(of), between !== null);
    return { columns: together(sign, button), panel };
  }
}
