/**
 * Paths that strangers name, in an index, a record, an export, a plan or a repository's listing. They are judged by the
 * rules of POSIX and of Windows at once: files are carried from one to the other. What a user names is not judged here,
 * and neither is where a link leads that the user made: the hub's own cache consists of links.
 */

/** What the file systems in use allow one name to have. */
const LONGEST_SEGMENT = 255;
/** Longer than any path that the hub takes; a bound for what strangers list. */
const LONGEST_PATH = 1024;

/** Names that Windows keeps for devices, with any ending. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?$/i;

/** Why a relative path must not become a path on this disk; undefined where it may. */
export function pathFault(path: string): string | undefined {
  const shown = JSON.stringify(path);
  if (path === "") return "the name of the file is empty";
  if (path.length > LONGEST_PATH) return `the path has ${path.length} letters, ${LONGEST_PATH} are allowed`;
  if (path.startsWith("/")) return `${shown} is an absolute path`;
  if (/^[A-Za-z]:/.test(path)) return `${shown} begins with a drive of Windows`;
  if (path.includes("\\")) return `${shown} has a backslash`;
  for (const segment of path.split("/")) {
    if (segment === "") return `${shown} has an empty folder name`;
    if (segment === "." || segment === "..") return `${shown} has a "${segment}", which would leave its folder`;
    if (segment.length > LONGEST_SEGMENT) return `a name in it has ${segment.length} letters, 255 are allowed`;
    if (/\p{Cc}|[<>:"|?*]/u.test(segment)) return `${shown} has a character that no file name may have`;
    if (/[. ]$/.test(segment)) return `${shown} has a name that ends in a dot or a space`;
    if (DEVICE.test(segment)) return `"${segment}" is a device of Windows`;
  }
}

/** Why a name must not become a file of a folder; undefined where it may. */
export function fileNameFault(name: string): string | undefined {
  if (name.includes("/")) return "which names a folder";
  return pathFault(name) === undefined ? undefined : "which is no name of a file everywhere";
}
