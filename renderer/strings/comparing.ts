/** One question to several models, side by side. */
export const comparing = {
  open: 'Compare models',
  openNone: 'Compare models: needs a second one',
  openScope: 'Compare models: not for questions about documents',
  title: 'Compare models',
  hint: 'Two or three models get your question and its pictures. Those on this computer answer one after the other, servers beside them.',
  leaves: (host: string) => `Sent to ${host}`,
  ask: 'Ask them',
  cancel: 'Cancel',
  comparison: 'Comparison',
  answerOf: (model: string) => `Answer of ${model}`,
  stop: (model: string) => `Stop ${model}`,
  follow: 'Go on from here',
  followed: 'Your next question goes on from here',
  tokens: (written: number) => `${written.toLocaleString('en')} ${written === 1 ? 'token' : 'tokens'}`,
  noTokens: 'tokens not reported',
  took: (words: string) => `${words} in all`,
};
