import type { MessageState } from '../../main/contract.ts';

const day = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'long', year: 'numeric' });

/** A conversation as a page or a picture for somebody else. */
export const share = {
  open: 'Share…',
  title: 'Share this conversation',
  form: 'Share as',
  forms: { page: 'A web page', picture: 'A picture' },
  pageHint: 'One HTML file with the pictures in it. It opens in any browser, prints well, and connects to nothing.',
  pictureHint: 'One tall PNG in the colours that you see now, for chats and slides.',
  holds:
    'It shows the branch that you are reading: questions, pictures, answers and instructions. Whoever gets the file can read all of it.',
  private: 'This conversation is not kept, but the file stays until you delete it.',
  preparing: 'Preparing the file…',
  save: 'Save',
  copy: 'Copy picture',
  saved: (name: string) => `${name} was saved.`,
  tooTall: 'This conversation is too long for one picture.',
  tooTallStep: 'Share it as a web page instead.',

  // In the file
  begun: (at: number) => day.format(at),
  instructions: 'Instructions for this conversation',
  question: 'Question',
  answer: (model: string | null) => (model === null ? 'Answer' : `Answer · ${model}`),
  missing: (name: string) => `${name}: this picture could not be included.`,
  failed: (why: string) => `Failed: ${why}`,
  states: {
    complete: null,
    streaming: 'Still being written.',
    interrupted: 'Interrupted.',
    stopped: 'Stopped.',
    failed: 'Failed.',
  } satisfies Record<MessageState, string | null>,
  others: (count: number) =>
    count === 1 ? 'One message of another branch is left out.' : `${count} messages of other branches are left out.`,
  made: 'A conversation from Loupe. A model wrote the answers: check what matters.',
};
