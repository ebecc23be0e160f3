/** How far a finger goes on a touchpad for one step, CSS pixels. */
const finger = 50;
/** What a notch of a mouse turns by, in most browsers. */
const notch = 120;

/**
 * Turns a wheel into steps, `up` away from the person. A mouse sends a notch at a time, which is a step; touchpads send parts of one,
 * which add up.
 */
export function wheelSteps(onStep: (up: boolean) => void): (event: Pick<WheelEvent, 'deltaY' | 'deltaMode'>) => void {
  let turned = 0;

  function take(steps: number): void {
    for (let step = 0; step < Math.abs(steps); step++) onStep(steps < 0);
  }

  return ({ deltaY, deltaMode }) => {
    // Lines and pages.
    if (deltaMode !== 0) return take(Math.sign(deltaY));
    if (Math.abs(deltaY) >= finger) {
      turned = 0;
      return take(Math.sign(deltaY) * Math.max(1, Math.round(Math.abs(deltaY) / notch)));
    }
    if (Math.sign(deltaY) !== Math.sign(turned)) turned = 0;
    turned += deltaY;
    if (Math.abs(turned) < finger) return;
    take(Math.sign(turned));
    turned -= Math.sign(turned) * finger;
  };
}
