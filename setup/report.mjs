// What set-up says, always on stderr: stdout belongs to the program that is set up.

/** @param {string} text */
export function say(text) {
  process.stderr.write(`loupe: ${text}\n`);
}

/** Set-up cannot continue. The message names the thing, `nextStep` what a person can do about it. */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {string} nextStep
   */
  constructor(message, nextStep) {
    super(message);
    this.nextStep = nextStep;
  }
}
