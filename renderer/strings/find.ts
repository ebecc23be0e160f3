export const find = {
  name: 'Find in this conversation',
  count: (at: number, of: number, most: number) => (of === 0 ? 'Not found' : `${at} of ${of}${of >= most ? ' or more' : ''}`),
  previous: 'Previous place',
  next: 'Next place',
  close: 'Close',
};
