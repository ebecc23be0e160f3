/** `node main/documents/test/measure.ts [pages]`: what reading a long document takes of processor and memory. Linux alone tells both. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '../../contract.ts';
import { forkHost } from '../../process/channel.ts';
import { root } from '../../host/paths.ts';
import { createDocumentReader } from '../document-client.ts';
import { line, writePdf } from './write-pdf.ts';

const pages = Number(process.argv[2] ?? 2000);
const folder = mkdtempSync(join(tmpdir(), 'loupe-measure-'));
const path = join(folder, 'long.pdf');
const words = 'The lessee shall notify the owner of damage to the pump within 14 days of delivery to the site';
const content = Array.from({ length: 45 }, (_, row) => line(`${row + 1}. ${words}`, 40, 800 - 16 * row)).join('');
writeFileSync(
  path,
  writePdf({ pages: Array.from({ length: pages }, (_, index) => ({ content: content + line(`Page ${index + 1}`, 40, 40) })) }),
);

const pids = new Set<number>();
const used = new Map<number, { milliseconds: number; peak: number }>();
const entry = join(root, 'main', 'documents', 'document-worker.ts');
const reader = createDocumentReader({
  spawn: () => {
    const host = forkHost({ entry });
    if (host.pid !== undefined) pids.add(host.pid);
    return host;
  },
});

function look(): void {
  for (const pid of pids) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
      const peak = Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
      used.set(pid, { milliseconds: (Number(fields[11]) + Number(fields[12])) * 10, peak });
    } catch {
      // It has ended.
    }
  }
}

try {
  const { pageCount } = await reader.open({ path });
  let read = 0;
  for (let number = 1; number <= pageCount; number++) {
    if ((await reader.readPage({ path }, number)).text.includes(`Page ${number}`)) read++;
    look();
  }
  const all = [...used.values()];
  const total = all.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  process.stdout.write(
    `${read} of ${pageCount} pages read, ${(total / pageCount).toFixed(1)} ms of processor a page, ${all.length} processes, ` +
      `peak ${formatBytes(Math.max(...all.map(({ peak }) => peak)) * 1024)}\n`,
  );
} finally {
  await reader.close();
  rmSync(folder, { recursive: true, force: true });
}
