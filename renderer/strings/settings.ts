import type { CaptureMode, Device, EngineState, HotkeyState, ProgramsState, Settings } from '../../main/contract.ts';
import { bytes } from '../format.ts';

export const settings = {
  title: 'Settings',
  sections: {
    general: 'General',
    capture: 'Capture',
    models: 'Models',
    answers: 'Answers',
    backups: 'Backups',
    programs: 'For programs',
    servers: 'Servers',
    privacy: 'Privacy',
    problems: 'Problems',
    about: 'About',
  },
  sectionsLabel: 'Sections of the settings',

  // General
  theme: 'Theme',
  themes: { system: 'Same as the system', light: 'Light', dark: 'Dark' } satisfies Record<Settings['theme'], string>,
  textSize: 'Text size',
  textSizes: { normal: 'Normal', large: 'Large', larger: 'Larger' } satisfies Record<Settings['textSize'], string>,
  sendWith: 'Send with',
  sendKeys: { enter: 'Enter', 'mod-enter': 'Ctrl + Enter' } satisfies Record<Settings['sendWith'], string>,
  sendKeysMac: { enter: 'Return', 'mod-enter': '⌘ + Return' } satisfies Record<Settings['sendWith'], string>,
  sendHint: { enter: 'Shift + Enter makes a new line.', 'mod-enter': 'Enter makes a new line.' } satisfies Record<
    Settings['sendWith'],
    string
  >,
  searchPictures: 'Search the text in pictures',
  searchPicturesHint: 'Loupe reads your pictures on this computer while it is idle. Turning this off deletes the text it has read.',
  secondReader: 'Compare answers with the text in the picture',
  secondReaderHint: 'When an answer has other numbers or names than the text Loupe reads in the picture, it says so below the answer.',
  textHint: 'Give the model the text in the picture',
  textHintHint:
    'Loupe reads the picture first and quotes its text to the model, which can help with small print. Answers begin a few seconds later. ' +
    'The demo model does not get it, because it answers worse with it.',
  autostart: 'Start Loupe when I log in',
  startMinimised: 'Start without a window',
  startMinimisedHint: 'The hotkey and the tray icon work at once.',
  closeToTray: 'Keep running when the window is closed',
  closeToTrayHint: 'Loupe stays in the tray and the hotkey keeps working. On a desktop without a tray, closing the window quits Loupe.',
  webOnly: 'This is Loupe in a browser: only the desktop app can start at login, stay in the tray and use a global hotkey.',

  // Capture
  hotkeys: {
    region: 'Select a region and ask',
    display: 'Ask about the whole display',
    last: 'Ask about the last region again',
    text: 'Copy the text of a region',
  } satisfies Record<CaptureMode, string>,
  hotkeysHint: 'Hotkeys work from any program.',
  noHotkey: 'None',
  setHotkey: 'Set…',
  changeHotkey: 'Change…',
  pressKeys: 'Press the keys now. Esc keeps the old ones.',
  removeHotkey: 'Remove the hotkey',
  hotkeyPlain: 'This key is needed for typing. Combine it with Ctrl, Alt or another modifier.',
  hotkeyOurs: (other: string) => `“${other}” has this combination already. Choose another one, or change that one first.`,
  hotkeyUnknown: 'This key cannot be registered. Try another one.',
  hotkeyStatus: {
    registered: 'Ready.',
    unsure: 'Registered, but your desktop may not deliver it.',
    taken: 'Another program is using this hotkey.',
    off: 'No hotkey is set.',
    unsupported: 'Hotkeys are not available here.',
  } satisfies Record<HotkeyState['status'], string>,
  testHotkey: 'Press it now',
  testing: 'Waiting for the hotkey. Press it now…',
  testPassed: 'It works.',
  testFailed:
    'Loupe received nothing within ten seconds. Another program or the desktop may be using it. ' +
    'Choose another one, or bind a key to the command “loupe --capture” in the desktop’s settings.',
  permissionMissing: 'Loupe is not allowed to record the screen yet.',
  permissionMissingNext: 'Allow Loupe under Privacy & Security > Screen Recording in the system’s settings, then start it again.',
  captureNone: 'The screen cannot be captured here.',
  browserCapture:
    'Captures go through the browser’s own screen sharing: it asks which screen or window, Loupe takes one picture, then stops sharing.',
  hints: 'Key hints in the capture overlay',
  hintsLeft: (left: number) => (left > 0 ? `Shown ${left === 1 ? 'once more' : `${left} more times`}.` : 'No longer shown.'),
  hintsAgain: 'Show them again',

  // Model
  models: 'Model in use',
  modelMissing: 'Its files are no longer there.',
  modelSize: (size: number | null) => (size === null ? '' : bytes(size)),
  removeModel: (name: string) => `Forget ${name}`,
  removed: (name: string) => `${name} was removed from the list. Its files stay where they are.`,
  engine: (engine: EngineState) => {
    switch (engine.status) {
      case 'ready':
        return [
          `${engine.model?.name ?? 'The model'} is loaded`,
          engine.device ? `on ${engine.device.name}` : '',
          engine.contextLength ? `with ${engine.contextLength.toLocaleString('en')} tokens of context` : '',
        ]
          .filter(Boolean)
          .join(' ')
          .concat(
            engine.hostBytes ? `; ${bytes(engine.hostBytes)} did not fit there and are in the computer’s memory, which is slower` : '',
          );
      case 'loading':
        return (
          `Loading ${engine.model?.name ?? 'the model'}` +
          (engine.timing
            ? `: finding the fastest way for this device, once, ${engine.timing.done} of ${engine.timing.total}`
            : engine.totalBytes > 0
              ? `: ${bytes(engine.doneBytes)} of ${bytes(engine.totalBytes)}`
              : '')
        );
      case 'stopped':
        return 'No model is loaded. It is loaded with the first question.';
      case 'failed':
        return 'The model could not be loaded.';
    }
  },
  device: 'Device',
  deviceAuto: 'Choose automatically',
  deviceHint: 'Where the model runs. Changing it loads the model again.',
  deviceOption: (device: Device) =>
    `${device.name}${device.memoryBytes > 0 ? `, ${bytes(device.memoryBytes)}` : ''}${device.suitable ? '' : ' (not suitable)'}`,
  deviceUnsuitable: (device: Device) => `${device.name}: ${device.reason}`,
  deviceSlow: 'This device is the processor: the demo model is quick enough, but an 11B model takes minutes to answer.',
  devicesFailed: 'The devices could not be listed.',
  contextLength: 'Context length',
  contextHint: 'In tokens, 256 to 131,072. Leave it empty for what the model and the memory allow. A longer context takes more memory.',

  // Answers
  temperature: 'Temperature',
  temperatureHint:
    '0 to 2. At 0, the model always picks the most likely word. Leave it empty for the value that the model’s makers recommend.',
  topP: 'Top P',
  topPHint: 'Above 0, up to 1. Leave it empty for the value that the model’s makers recommend.',
  maxTokens: 'Longest answer',
  maxTokensHint: 'In tokens, 1 to 16,384. A token is about three quarters of a word.',
  systemPrompt: 'System prompt',
  systemPromptHint: 'Instructions that the model gets at the start of every conversation. The demo model does not understand them.',
  asAdvised: 'Recommended',
  automatic: 'Automatic',
  prompts: 'Suggested questions',
  promptsHint:
    'Offered below a new capture and in an empty conversation. The demo model answers questions about short text only, and offers none of them.',
  promptLabel: 'Name',
  promptText: 'Question',
  promptOf: (at: number) => `Suggestion ${at}`,
  promptUp: (label: string) => `Move ${label} up`,
  promptDown: (label: string) => `Move ${label} down`,
  promptRemove: (label: string) => `Remove ${label}`,
  promptRemoved: (label: string) => `${label} was removed.`,
  promptAdd: 'Add a question',
  promptsRestore: 'Restore the original ones',
  promptEmpty: 'A suggestion needs a name and a question.',
  promptsFull: 'Twenty is the limit.',

  // Values
  notANumber: (text: string) => `“${text}” is not a number.`,
  notWhole: 'Enter a whole number.',
  outOfRange: (least: string, most: string) => `Enter a number between ${least} and ${most}.`,
  aboveZero: 'Enter a number above 0.',
  needed: 'Enter a number.',

  // For programs
  programs: 'Let other programs on this computer ask Loupe',
  programsHint:
    'What was written for Ollama or for OpenAI’s servers works with Loupe when you change its address. ' +
    'Only programs on this computer that send the key are answered, and what you ask goes first.',
  programsStarting: 'Starting…',
  programsAddresses: 'Addresses',
  programsOpenAi: 'For OpenAI’s clients',
  programsOllama: 'For Ollama’s clients',
  /** Stands in an address for the key that is no longer shown. */
  programsKeyInAddress: 'YOUR-KEY',
  programsCopy: (what: string) => `Copy the address ${what[0]!.toLowerCase()}${what.slice(1)}`,
  programsKey: 'Key',
  programsCopyKey: 'Copy the key',
  programsKeyOnce: 'Copy the key now: Loupe will not show it again.',
  programsKeyKept: {
    keychain: 'Your key is in the system’s keychain.',
    session: 'Your key is kept until Loupe ends; the next start needs a new one.',
  } satisfies Record<NonNullable<ProgramsState['key']>, string>,
  programsKeyless: 'There is no key yet, so no program is answered.',
  programsMakeKey: 'Make a key',
  programsNewKey: 'Make a new key',
  programsNewKeyHint: 'Programs that send the old key will no longer be answered.',
  programsPort: 'Port',
  programsPortHint: '1024 to 65535. Programs need the new address when you change it.',
  programsAnswered: (count: number) =>
    count === 0
      ? 'No program has asked since Loupe started.'
      : `${count === 1 ? 'One request' : `${count.toLocaleString('en')} requests`} answered since Loupe started. Loupe sent none of it to another computer.`,

  // Privacy
  privateCaptures: 'Keep no captures',
  privateCapturesHint:
    'What you capture with the hotkey, and what you ask about it, stays in memory. It is gone when you close the small window, unless you keep it there.',
  neverConnect: 'Never connect',
  neverConnectHint:
    'Loupe refuses every connection to another machine: no model can be downloaded, and no server elsewhere is asked. What is running stops, also in the middle of an answer.',
  ledgerNone: 'No connection since you installed Loupe',
  ledgerSince: (date: string) => `Installed on ${date}. Nothing has left this machine.`,
  ledgerSome: (count: number) =>
    count === 1 ? 'One connection since you installed Loupe' : `${count} connections since you installed Loupe`,
  ledgerExplain:
    'Every connection that Loupe opens is listed here, with what it was for. Pictures, questions and answers stay on this machine, ' +
    'unless you choose a model of a server that you added under Servers.',
  ledgerPrograms: (since: string, asked: string, answered: string) =>
    `Other programs on this computer have sent Loupe ${asked} and got ${answered} in answers since ${since}.`,
  ledgerTable: 'Connections',
  ledgerColumns: { when: 'When', host: 'To', purpose: 'What for', sent: 'Sent', received: 'Received' },
  files: 'Where your files are',
  filesHint: 'Conversations, pictures and settings. Delete the folder to delete everything.',
  logs: 'Logs',
  logsHint: 'Useful in a bug report. They contain no pictures, questions or answers.',
  openFolder: 'Open the folder',
  notOpened: 'No file manager was found to open it. The path was copied instead.',

  // Problems
  problemsNone: 'Nothing has gone wrong lately.',
  problemsList: 'Recent problems',
  bundle: 'Save a file for a report',
  bundleHint:
    'The file holds versions, devices, settings and recent problems, and nothing that you wrote, named or keep. It is plain text: read it before you send it.',

  // About
  licences: 'Licences',
  shortcuts: 'Keyboard shortcuts',
  aboutLoupe: 'About Loupe',
};
