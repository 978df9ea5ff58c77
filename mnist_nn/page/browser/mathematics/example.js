// One example of the page. What the network makes of it is computed when it is asked for, and again after the network has
// changed.

import { answerOf, backprop, costOf, forward } from "./network.js";

export class Example {
  #network;
  #passed;
  #back;
  #answer;
  #passedAt = -1;
  #backAt = -1;

  // `n` is its position on the page, and `index` its position in the split.
  constructor(network, { n, index, pixels, x, y }) {
    Object.assign(this, { n, index, pixels, x, y, label: answerOf(y) });
    this.#network = network;
  }

  // The forward pass. The arrays are overwritten when the network changes.
  get passed() {
    const { version, L } = this.#network;
    if (this.#passedAt !== version) {
      this.#passed = forward(this.#network, this.x, this.#passed);
      this.#answer = answerOf(this.#passed.a[L]);
      this.#passedAt = version;
    }
    return this.#passed;
  }

  // The backward pass. The arrays are overwritten when the network changes.
  get back() {
    const { version } = this.#network;
    if (this.#backAt !== version) {
      this.#back = backprop(this.#network, this.passed, this.y, this.#back);
      this.#backAt = version;
    }
    return this.#back;
  }

  get C() {
    return costOf(this.#network, this.passed, this.y);
  }

  // The digit that the network reads.
  get answer() {
    void this.passed;
    return this.#answer;
  }
}
