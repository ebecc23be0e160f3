/** The quick-ask window; the states of an answer are those of `chat`. */
export const quick = {
  title: 'Ask about this picture',
  picture: 'The picture that you ask about',
  placeholder: 'Ask about this…',
  prompts: 'Suggested questions',
  openMain: 'Open in Loupe',
  noPicture: 'There is no picture to ask about.',
  noPictureNext: 'Press the hotkey and select a part of the screen.',
};
