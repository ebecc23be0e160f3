import * as v from 'valibot';
import { defaultSettings, parseSettingsChange, settingsSchema, type Settings } from '../contract.ts';
import type { Store } from '../services/ports.ts';
import { transaction } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { parseJson } from './rows.ts';

export type SettingsQueries = Pick<Store, 'settings'>;
export type SettingsCommands = Pick<Store, 'saveSettings'>;

/** One row for each field that was ever changed. What a row holds is used only where the contract allows it; else the default is. */
export function settingsQueries(database: ReadDatabase): SettingsQueries {
  const all = database.prepare<[], { name: string; value: string }>('select name, value from settings');
  return {
    settings: () => {
      const stored = new Map(all.all().map(({ name, value }) => [name, value]));
      const fields = Object.entries(settingsSchema.entries).map(([name, schema]) => {
        const text = stored.get(name);
        // In a tuple, so that a stored null differs from nothing.
        const kept = text === undefined ? null : parseJson(v.tuple([schema]), `[${text}]`);
        return [name, kept ? kept[0] : defaultSettings[name as keyof Settings]];
      });
      return structuredClone(Object.fromEntries(fields)) as Settings;
    },
  };
}

export function settingsCommands(database: WriteDatabase, { settings }: SettingsQueries): SettingsCommands {
  const put = database.prepare<[string, string]>(
    'insert into settings (name, value) values (?, ?) on conflict (name) do update set value = excluded.value',
  );
  return {
    saveSettings: (change) => {
      const fields = Object.entries(parseSettingsChange(change)).filter(([, value]) => value !== undefined);
      transaction(database, () => {
        for (const [name, value] of fields) put.run(name, JSON.stringify(value));
      });
      return settings();
    },
  };
}
