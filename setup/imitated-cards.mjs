// Cards that are not here, for their compilers: Mesa's drivers for AMD, Intel and NVIDIA take a kernel that does nothing for one, if a
// library in front of them says so. Debian does not package that library (Mesa's "drm-shim"), so it is compiled from Debian's source of
// Mesa: about fifty C files, half a minute. The drivers are those of the newer lavapipe's tree, which fit it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture, which } from './exec.mjs';
import { withLock } from './lock.mjs';
import { makeOfSource } from './newer-debian.mjs';
import { ensureNewerDriver } from './newer-driver.mjs';
import { inRoot, tools } from './paths.mjs';
import { say } from './report.mjs';

/** @typedef {{ driver: string, shim: string, env: Record<string, string> }} Vendor */

/** @param {string} chip @returns {Vendor} */
const amd = (chip) => ({ driver: 'radeon', shim: 'amdgpu', env: { AMDGPU_GPU_ID: chip } });
/** @param {string} chipset @returns {Vendor} */
const nvidia = (chipset) => ({
  driver: 'nouveau',
  shim: 'nouveau',
  env: { NOUVEAU_CHIPSET: chipset, NVK_I_WANT_A_BROKEN_VULKAN_DRIVER: '1' },
});
/** @param {string} platform @returns {Vendor} */
const intel = (platform) => ({ driver: 'intel', shim: 'intel', env: { INTEL_STUB_GPU_PLATFORM: platform } });

/** @type {Record<string, Vendor & { card: string }>} */
export const imitatedCards = {
  navi31: { card: 'RX 7900 XTX', ...amd('navi31') },
  navi21: { card: 'RX 6900 XT', ...amd('navi21') },
  gfx1200: { card: 'RX 9060', ...amd('gfx1200') },
  ad102: { card: 'RTX 4090', ...nvidia('192') },
  ga106: { card: 'RTX 3060', ...nvidia('176') },
  dg2: { card: 'Arc A770', ...intel('dg2') },
  bmg: { card: 'Arc B580', ...intel('bmg') },
};

const name = 'imitation';
/** @param {string} folder @param {string} shim */
const shimAt = (folder, shim) => join(folder, `lib${shim}_noop_drm_shim.so`);

/**
 * How a program is run as on a card: what comes before it, and its environment.
 * @typedef {{ launch: string[], manifest: string, env: Record<string, string> }} Imitation
 * @returns {Promise<{ on: (chip: string) => Imitation } | { reason: string }>} `reason`: why there is none
 */
export async function ensureImitatedCards() {
  const found = await ensureNewerDriver();
  if ('reason' in found) return found;
  const { tree } = found.driver;
  try {
    const folder = await withLock(inRoot('build', '.imitation-lock'), ensureShims);
    return {
      on(chip) {
        const { driver, shim, env } = /** @type {Vendor} */ (imitatedCards[chip]);
        const manifest = join(folder, `${driver}.json`);
        const library = join(tree.libraries, `libvulkan_${driver}.so`);
        writeFileSync(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: library, api_version: '1.4.0' } }));
        return {
          launch: [tree.loader, '--library-path', tree.libraries, '--preload', shimAt(folder, shim)],
          manifest,
          env: { ...env, VK_LOADER_LAYERS_DISABLE: '~all~', MESA_SHADER_CACHE_DISABLE: 'true' },
        };
      },
    };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

/** @returns {Promise<string>} their folder */
async function ensureShims() {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('cards are imitated on Linux for x64 only');
  const folder = join(tools, 'vulkan', name);
  if (shims.every(({ shim }) => existsSync(shimAt(folder, shim)))) return folder;
  for (const program of ['cc', 'python3', 'tar', 'xz']) if (!which(program)) throw new Error(`imitating cards needs ${program}`);
  say('making imitations of cards for their compilers in .tools/vulkan/ (50 MB to fetch, half a minute to compile) ...');
  return makeOfSource(name, 'mesa', ['libdrm-dev', 'python3-mako', 'python3-markupsafe'], makeShims);
}

const shared = [
  ...'anon_file set hash_table ralloc u_debug vma log os_misc simple_mtx futex os_time softfloat half_float u_call_once os_file u_process blob u_printf'
    .split(' ')
    .map((file) => `util/${file}`),
  ...['c11/impl/threads_posix', 'c11/impl/time', 'drm-shim/device', 'drm-shim/drm_shim'],
];
const shims = [
  { shim: 'amdgpu', files: ['amd/drm-shim/amdgpu_noop_drm_shim', 'amd/drm-shim/amdgpu_devices'] },
  { shim: 'nouveau', files: ['nouveau/drm-shim/nouveau_noop'] },
  {
    shim: 'intel',
    files: [
      ...'i915/intel_device_info xe/intel_device_info intel_debug intel_device_info intel_hwconfig intel_kmd'
        .split(' ')
        .map((file) => `intel/dev/${file}`),
      ...'intel_gem i915/intel_gem xe/intel_gem'.split(' ').map((file) => `intel/common/${file}`),
      ...[
        'intel/tools/intel_noop_drm_shim',
        'util/parson',
        '../made/intel/dev/intel_wa',
        '../made/intel/dev/intel_device_info_serialize_gen',
      ],
    ],
  },
];

/** Parts of Mesa's source that the files above include. */
const parts = [
  'include',
  'src/util',
  'src/c11',
  'src/drm-shim',
  'src/amd',
  'src/nouveau',
  'src/intel',
  'src/compiler',
  'src/gallium/include',
].concat(['src/gallium/auxiliary/util', 'src/gallium/drivers/nouveau']);
const has =
  'PTHREAD STRUCT_TIMESPEC TIMESPEC_GET FUNC_ATTRIBUTE_PACKED MEMFD_CREATE SECURE_GETENV DLADDR ENDIAN_H GNU_QSORT_R __BUILTIN_FFS __BUILTIN_FFSLL __BUILTIN_CLZ __BUILTIN_CTZ __BUILTIN_POPCOUNT __BUILTIN_TYPES_COMPATIBLE_P __BUILTIN_EXPECT __BUILTIN_UNREACHABLE';

/** @param {string} archive @param {string} root of the packages @returns {Promise<string[]>} the libraries */
async function makeShims(archive, root) {
  const mesa = join(root, 'mesa');
  const src = join(mesa, 'src');
  const made = join(mesa, 'made');
  const dev = join(made, 'intel', 'dev');
  mkdirSync(dev, { recursive: true });
  const members = parts.map((part) => `*/${part}`);
  await succeed('tar', ['xf', archive, '-C', mesa, '--strip-components=1', '--wildcards', '--no-wildcards-match-slash', ...members]);
  teachNewerCards(src);
  writeFileSync(join(made, 'git_sha1.h'), '#define MESA_GIT_SHA1 ""\n');
  const generate = (/** @type {string[]} */ ...args) =>
    succeed('python3', args, {
      cwd: join(src, 'intel', 'dev'),
      env: { ...process.env, PYTHONPATH: join(root, 'usr', 'lib', 'python3', 'dist-packages') },
    });
  await generate('gen_wa_helpers.py', 'mesa_defs.json', join(dev, 'intel_wa.h'), join(dev, 'intel_wa.c'));
  await generate('intel_device_info_gen_h.py', join(dev, 'intel_device_info_gen.h'));
  await generate('intel_device_info_serialize_gen_c.py', join(dev, 'intel_device_info_serialize_gen.c'));

  const flags = [
    ...[
      '-shared',
      '-O1',
      '-fPIC',
      '-w',
      '-std=gnu11',
      '-D_GNU_SOURCE',
      '-DNDEBUG',
      '-DUTIL_ARCH_LITTLE_ENDIAN=1',
      '-DUTIL_ARCH_BIG_ENDIAN=0',
    ],
    ...['-DPACKAGE_VERSION="x"', ...has.split(' ').map((feature) => `-DHAVE_${feature}`)],
    ...[made, join(made, 'intel'), dev, join(mesa, 'include'), join(root, 'usr/include'), join(root, 'usr/include/libdrm')].map(
      (path) => `-I${path}`,
    ),
    ...['', 'amd', 'intel', 'intel/dev', 'intel/common', 'nouveau', 'nouveau/winsys', 'gallium/drivers/nouveau', 'gallium/include']
      .concat('gallium/auxiliary')
      .map((path) => `-I${join(src, path)}`),
  ];
  return Promise.all(
    shims.map(async ({ shim, files }) => {
      const library = shimAt(root, shim);
      const sources = [...shared, ...files].map((file) => join(src, `${file}.c`));
      await succeed('cc', [...flags, ...sources, '-o', library, '-ldl', '-lpthread', '-lm']);
      return library;
    }),
  );
}

/**
 * Drivers of Mesa 26 want a newer kernel than this source imitates, and it does not know cards of the last years.
 * @param {string} src
 */
function teachNewerCards(src) {
  edit(join(src, 'amd/drm-shim/amdgpu_noop_drm_shim.c'), [['version_minor = 49', 'version_minor = 61']]);
  // RDNA4: as the RX 7900 XTX, of another family. A compiler asks for no more.
  edit(join(src, 'amd/drm-shim/amdgpu_devices.c'), [
    [
      /^ {3}\{\n {6}\.name = "navi31",[\s\S]*?^ {3}\},\n/m,
      (/** @type {string} */ entry) =>
        entry +
        entry
          .replace('"navi31"', '"gfx1200"')
          .replace('CHIP_NAVI31', 'CHIP_GFX1200')
          .replaceAll('hw_ip_version_major = 11', 'hw_ip_version_major = 12')
          .replaceAll('0xb0000', '0xc0000')
          .replace('AMDGPU_FAMILY_GC_11_0_0', 'AMDGPU_FAMILY_GC_12_0_0')
          .replace('.external_rev = 0x01', '.external_rev = 0x40'),
    ],
  ]);
  // Ada's classes of copies, graphics and compute.
  const ada = (/** @type {string} */ number) =>
    `         case 0x190:\n            sclass->sclass.oclass[idx].oclass = ${number};\n            break;\n`;
  edit(join(src, 'nouveau/drm-shim/nouveau_noop.c'), [
    ['      case 0x170:\n      case 0x160:', '      case 0x190:\n      case 0x170:\n      case 0x160:'],
    .../** @type {[RegExp, (match: string) => string][]} */ ([
      [/ *case 0x170:\n *sclass->sclass\.oclass\[idx\]\.oclass = AMPERE_DMA_COPY_A;/, (match) => ada('0xc7b5') + match],
      [/ *case 0x170:\n *sclass->sclass\.oclass\[idx\]\.oclass = GA102_3D_CLASS;/, (match) => ada('0xc997') + match],
      [/ *case 0x170:\n *sclass->sclass\.oclass\[idx\]\.oclass = GA102_COMPUTE_CLASS;/, (match) => ada('0xc9c0') + match],
    ]),
  ]);
}

/** @param {string} path @param {[string | RegExp, string | ((match: string) => string)][]} changes */
function edit(path, changes) {
  let text = readFileSync(path, 'utf8');
  for (const [what, to] of changes) {
    const changed = text.replace(what, typeof to === 'string' ? () => to : to);
    if (changed === text) throw new Error(`Mesa's source is not what it was: ${path} has no ${String(what)}`);
    text = changed;
  }
  writeFileSync(path, text);
}

/** @param {string} command @param {string[]} args @param {import('./exec.mjs').Place} [place] */
async function succeed(command, args, place = {}) {
  const { code, stderr } = await capture(command, args, place);
  if (code !== 0) throw new Error(`imitating cards: ${command} failed: ${stderr.trim().split('\n').slice(-3).join(' ')}`);
}
