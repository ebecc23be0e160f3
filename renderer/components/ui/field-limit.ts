import type { Attachment } from 'svelte/attachments';

/**
 * A field that takes so many characters and no more. What is too long is cut before it is inserted: a paste of 60 MB that is inserted
 * first stops the window for half a minute. `onexcess` hears how many characters were left out.
 */
export function fieldLimit(most: number, onexcess: (left: number) => void): Attachment<HTMLTextAreaElement> {
  return (field) => {
    const beforeInput = (event: InputEvent): void => {
      const given = event.data ?? event.dataTransfer?.getData('text/plain') ?? (event.inputType === 'insertLineBreak' ? '\n' : '');
      // An input method's text is replaced as it is written: the field decides once it is whole.
      if (given === '' || event.isComposing) return;
      const room = Math.max(0, most - field.value.length + (field.selectionEnd - field.selectionStart));
      // Line breaks of two characters become one.
      const beginning = given.slice(0, 2 * room).replaceAll(/\r\n?/g, '\n');
      if (beginning.length <= room && given.length <= 2 * room) return;
      event.preventDefault();
      const kept = withoutHalf(beginning.slice(0, room));
      // It cannot be undone, as `insertText` can, which takes minutes for 30,000 lines.
      field.setRangeText(kept, field.selectionStart, field.selectionEnd, 'end');
      field.dispatchEvent(new InputEvent('input', { bubbles: true, inputType: event.inputType }));
      onexcess(given.length - kept.length);
    };
    field.addEventListener('beforeinput', beforeInput);
    return () => field.removeEventListener('beforeinput', beforeInput);
  };
}

/** Without the first half of a character whose second half was cut off. */
function withoutHalf(text: string): string {
  return /[\uD800-\uDBFF]$/.test(text) ? text.slice(0, -1) : text;
}
