/**
 * For a control whose value the app keeps: a browser moves it at once, and the app may refuse. `show` puts it to what is kept; it is
 * called when the last change that was asked for is stored or refused, so that no earlier reply moves the control under the pointer.
 */
export function settling(show: () => void): (stored: Promise<unknown>) => void {
  let asked = 0;
  return (stored) => {
    const mine = ++asked;
    const settle = (): void => {
      if (mine === asked) show();
    };
    stored.then(settle, settle);
  };
}
