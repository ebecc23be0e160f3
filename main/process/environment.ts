/**
 * What a process of ours gets of the surroundings: names on this list, and nothing else. The others are for the app alone, as the access
 * token of the Hub, or change what a process runs, as NODE_OPTIONS and LD_PRELOAD do.
 */

/** What programs need on every system, what the Vulkan loader and its drivers read, and where libraries lie. */
const names: ReadonlySet<string> = new Set([
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR', 'TMP', 'TEMP'],
  ...['DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'DRI_PRIME', 'LD_LIBRARY_PATH', 'DYLD_FALLBACK_LIBRARY_PATH'],
  ...['SYSTEMROOT', 'WINDIR', 'SYSTEMDRIVE', 'USERPROFILE', 'HOMEDRIVE', 'HOMEPATH', 'APPDATA', 'LOCALAPPDATA', 'PROGRAMDATA'],
  ...['PROGRAMFILES', 'PATHEXT', 'COMSPEC', 'NUMBER_OF_PROCESSORS', 'PROCESSOR_ARCHITECTURE'],
  // Takes a fence away where a driver does not stand it, and lets no code in.
  'LOUPE_CONFINE',
  ...['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_LOADER_LAYERS_DISABLE', 'VK_LOADER_DRIVERS_SELECT', 'VK_LOADER_DRIVERS_DISABLE'],
]);
const beginnings = ['LC_', 'XDG_', 'MESA_', 'RADV_', 'ANV_', 'NVK_', 'LP_', 'GALLIVM_', 'AMD_', 'MVK_'];
/** Only from a checkout: they say where the engine, its shaders and the Vulkan loader are. */
const beginningsInCheckout = ['LOUPE_', 'VK_'];

export function childEnvironment(env: NodeJS.ProcessEnv, { packaged }: { packaged: boolean }): NodeJS.ProcessEnv {
  const allowed = packaged ? beginnings : [...beginnings, ...beginningsInCheckout];
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => {
      // Windows writes them as it likes.
      const spelled = name.toUpperCase();
      return names.has(spelled) || allowed.some((beginning) => spelled.startsWith(beginning));
    }),
  );
}
