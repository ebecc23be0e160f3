import type { ProgramQuestion, ProgramTool } from '../../main/contract.ts';

/** What other programs on this computer want to do, and may. */
export const programs = {
  title: {
    capture_and_ask: (program: string) => `Let “${program}” ask about your screen?`,
    ask_about_file: (program: string) => `Let “${program}” ask about this picture?`,
    search_history: (program: string) => `Let “${program}” search your conversations?`,
  } satisfies Record<ProgramTool, (program: string) => string>,
  /** What it gets. */
  gets: {
    capture_and_ask:
      'You choose the part of the screen next; nothing is taken before. The program gets the answer as text, and not the picture.',
    ask_about_file: 'Loupe looks at the picture. The program gets the answer as text, and not the picture.',
    search_history: 'The program gets the words around each place. Private conversations are never searched.',
  } satisfies Record<ProgramTool, string>,
  leaves: 'It may send this text on: most assistants run on other computers.',
  file: 'Picture',
  words: { capture_and_ask: 'Question', ask_about_file: 'Question', search_history: 'Words' } satisfies Record<ProgramTool, string>,
  found: 'Found',
  foundIn: ({ places, conversations, titles }: NonNullable<ProgramQuestion['found']>) => {
    if (places === 0) return 'Nothing has these words.';
    const more = conversations - titles.length;
    const named = titles.map((title) => `“${title}”`).join(', ') + (more > 0 ? `, and ${more} more` : '');
    return `${places === 1 ? 'One place' : `${places} places`} in ${named}`;
  },
  remember: 'Remember my answer, and do not ask again',
  remembers: {
    capture_and_ask: (program: string) => `For “${program}”. You still choose the part of the screen each time.`,
    ask_about_file: (program: string) => `For “${program}”, whichever picture on this computer it names.`,
    search_history: (program: string) => `For “${program}”, whatever it searches for.`,
  } satisfies Record<ProgramTool, (program: string) => string>,
  changeLater: 'You can change that in Settings > For programs.',
  allow: 'Allow',
  refuse: 'Don’t allow',

  // In the settings.
  toolsTitle: 'What assistants may do',
  toolsHint: 'Assistants that speak MCP can ask about your screen and pictures, and search your conversations. Loupe asks you first.',
  toolsNone: 'You have not told Loupe to remember an answer yet.',
  may: {
    capture_and_ask: { yes: 'may ask about parts of the screen that you choose', no: 'may not ask about the screen' },
    ask_about_file: { yes: 'may ask about any picture', no: 'may not ask about pictures' },
    search_history: { yes: 'may search your conversations', no: 'may not search your conversations' },
  } satisfies Record<ProgramTool, { yes: string; no: string }>,
  forget: 'Ask me again',
  forgetNamed: (program: string, may: string) => `Ask me again whether “${program}” ${may}`,
};
