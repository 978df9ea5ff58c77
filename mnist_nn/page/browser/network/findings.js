// What stands out in the network as it is now, in words.

import { diagnose, factsOf } from "../mathematics/diagnosis.js";
import { html } from "../parts/dom.js";

const PAUSE = 500; // milliseconds between two looks while the network moves

export function mountFindings(root, data) {
  const list = html("ul", { class: "findings", "aria-live": "polite", "aria-label": "what stands out" });
  root.append(list);
  let seen = null; // what the findings were computed from
  let then = 0;
  return () => {
    const { network, motion, player, initialization } = data;
    const now = `${network.version} ${motion.rate}`;
    if (now === seen || (player.isBusy && performance.now() - then < PAUSE)) return;
    [seen, then] = [now, performance.now()];
    const isTrained = motion.steps > 0 || !["fresh", "zeros", "step-0"].includes(motion.moment.key);
    const findings = diagnose(factsOf(network, data.batch, motion.rate, { initialization, isTrained }));
    const texts = findings.map(({ text }) => text);
    if (texts.join() === Array.from(list.children, (item) => item.textContent).join()) return;
    list.replaceChildren(...texts.map((text) => html("li", {}, text)));
  };
}
