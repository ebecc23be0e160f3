// `npm start`. Until there is a window, the bundled demo model reads a bundled screenshot.
import { inRoot } from './paths.mjs';
import { say } from './report.mjs';

/** An entry of resources/demo-model/samples.json that the demo model answers right. */
export const demo = { image: 'samples/heldout-font-04.png', question: 'What text is shown?' };

/** Arguments of the command line that ask the demo question. */
export function demoArguments() {
  const model = inRoot('resources', 'demo-model');
  return ['ask', '--model', model, '--image', inRoot('resources', 'demo-model', demo.image), demo.question];
}

export function announceDemo() {
  say(`asking the demo model about resources/demo-model/${demo.image}: "${demo.question}"`);
}
