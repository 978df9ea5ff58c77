// The pulse that runs back through the network once, from the cost to the first layer. The last layer comes first.

const DURATION = 1500; // in milliseconds

// `paint(reach)` paints the drawing up to `reach`, which counts the layers that the pulse has passed. It is Infinity when no
// pulse runs. Whoever prefers reduced motion sees no pulse.
export function mountPulse(paint) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let frame = 0;
  const pulse = {
    still,
    reach: Infinity,
    stop() {
      cancelAnimationFrame(frame);
      frame = 0;
      pulse.reach = Infinity;
    },
    play(layers) {
      pulse.stop();
      if (still.matches) return;
      let start = null;
      const step = (now) => {
        start ??= now;
        const passed = (now - start) / DURATION;
        pulse.reach = passed < 1 ? passed * layers : Infinity;
        frame = passed < 1 ? requestAnimationFrame(step) : 0;
        paint();
      };
      pulse.reach = 0;
      frame = requestAnimationFrame(step);
    },
  };
  return pulse;
}
