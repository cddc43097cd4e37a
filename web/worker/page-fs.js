/**
 * An Emscripten file system over a paged folder: what `mount` gives SQLite.
 *
 * It translates and decides nothing. Directories exist in memory only: they come
 * back with the files in them. Locks are Emscripten's (none between processes:
 * there is one). There is no `mmap`; SQLite is built without it here.
 *
 * Source: Emscripten's `FS` and `MEMFS` (src/lib/libfs.js, libmemfs.js).
 */

/** @import { PagedFile } from '../core/paged-file.js' */
/** @import { PagedFolder } from '../core/paged-folder.js' */

// Emscripten's own objects have no published types.
/** @typedef {any} EmscriptenFS */
/** @typedef {any} FSNode */
/** @typedef {any} FSStream */

const DIRECTORY = 0o40777;
const FILE = 0o100666;

/** Errors of WASI, as Emscripten numbers them. */
const EBUSY = 10;
const ENOENT = 44;
const EINVAL = 28;
const EIO = 29;
const ENOTEMPTY = 55;
const EPERM = 63;
const EROFS = 69;

/**
 * @param {EmscriptenFS} FS
 * @param {PagedFolder} folder  Its files appear below *root*.
 * @param {string} root  An absolute path; created.
 * @param {(error: unknown) => void} [onDamage]  A file could not be read; who asked
 *   got EIO.
 */
export function mountFolder(FS, folder, root, onDamage = () => {}) {
  /**
   * An image that is not in memory may fail to be read. An exception of any other
   * kind would end Python.
   *
   * @template R
   * @param {() => R} work
   */
  const reading = (work) => {
    try {
      return work();
    } catch (error) {
      onDamage(error);
      throw new FS.ErrnoError(EIO);
    }
  };

  const nodeOps = {
    /** @param {FSNode} node */
    getattr(node) {
      const size = node.file ? node.file.size : 4096;
      return {
        dev: 1,
        ino: node.id,
        mode: node.mode,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        size,
        atime: new Date(node.changedAt),
        mtime: new Date(node.changedAt),
        ctime: new Date(node.changedAt),
        blksize: 4096,
        blocks: Math.ceil(size / 512),
      };
    },

    /**
     * @param {FSNode} node
     * @param {{mode?: number, size?: number}} attr
     */
    setattr(node, attr) {
      if (attr.mode !== undefined) node.mode = attr.mode;
      const { size } = attr;
      if (size === undefined) return;
      if (node.file?.isReadOnly) throw new FS.ErrnoError(EROFS);
      reading(() => folder.resize(pathOf(node), node.file, size));
    },

    /**
     * @param {FSNode} parent
     * @param {string} name
     */
    lookup(parent, name) {
      const node = parent.children.get(name);
      if (!node) throw new FS.ErrnoError(ENOENT);
      return node;
    },

    /**
     * @param {FSNode} parent
     * @param {string} name
     * @param {number} mode
     */
    mknod(parent, name, mode) {
      if (FS.isDir(mode)) return addNode(parent, name, mode, null);
      if (!FS.isFile(mode)) throw new FS.ErrnoError(EPERM);
      const path = joined(parent, name);
      return addNode(parent, name, mode, folder.create(path));
    },

    /**
     * @param {FSNode} node
     * @param {FSNode} newParent
     * @param {string} newName
     */
    rename(node, newParent, newName) {
      if (!node.file) throw new FS.ErrnoError(EPERM);
      if (node.file.inTransaction) throw new FS.ErrnoError(EBUSY);
      folder.rename(pathOf(node), joined(newParent, newName));
      const replaced = newParent.children.get(newName);
      if (replaced) FS.hashRemoveNode(replaced);
      node.parent.children.delete(node.name);
      newParent.children.set(newName, node);
      node.name = newName;
      node.parent = newParent;
    },

    /**
     * @param {FSNode} parent
     * @param {string} name
     */
    unlink(parent, name) {
      folder.remove(joined(parent, name));
      parent.children.delete(name);
    },

    /**
     * @param {FSNode} parent
     * @param {string} name
     */
    rmdir(parent, name) {
      if (parent.children.get(name).children.size > 0) {
        throw new FS.ErrnoError(ENOTEMPTY);
      }
      parent.children.delete(name);
    },

    /** @param {FSNode} node */
    readdir(node) {
      return ['.', '..', ...node.children.keys()];
    },
  };

  const streamOps = {
    /**
     * @param {FSStream} stream
     * @param {Uint8Array} buffer
     * @param {number} offset
     * @param {number} length
     * @param {number} position
     */
    read(stream, buffer, offset, length, position) {
      const { file } = stream.node;
      const bytes = bytesIn(buffer, offset, length);
      return reading(() => file.read(bytes, position));
    },

    /**
     * @param {FSStream} stream
     * @param {Uint8Array} buffer
     * @param {number} offset
     * @param {number} length
     * @param {number} position
     */
    write(stream, buffer, offset, length, position) {
      const { node } = stream;
      if (node.file.isReadOnly) throw new FS.ErrnoError(EROFS);
      const bytes = bytesIn(buffer, offset, length);
      node.changedAt = Date.now();
      // A file that was deleted while it is open belongs to nobody.
      const isOrphan = folder.find(pathOf(node)) !== node.file;
      reading(() => {
        if (isOrphan) node.file.write(bytes, position);
        else folder.write(pathOf(node), node.file, bytes, position);
      });
      return length;
    },

    /** @param {FSStream} stream */
    close(stream) {
      stream.node.file?.closed();
    },

    /**
     * @param {FSStream} stream
     * @param {number} offset
     * @param {number} whence  0 start, 1 current, 2 end.
     */
    llseek(stream, offset, whence) {
      let position = offset;
      if (whence === 1) position += stream.position;
      if (whence === 2) position += stream.node.file?.size ?? 0;
      if (position < 0) throw new FS.ErrnoError(EINVAL);
      return position;
    },
  };

  /**
   * @param {FSNode | null} parent
   * @param {string} name
   * @param {number} mode
   * @param {PagedFile | null} file
   */
  const addNode = (parent, name, mode, file) => {
    const node = FS.createNode(parent, name, mode, 0);
    node.node_ops = nodeOps;
    node.stream_ops = streamOps;
    node.changedAt = Date.now();
    node.file = file;
    node.children = file ? null : new Map();
    if (parent) parent.children.set(name, node);
    return node;
  };

  FS.mkdirTree(root);
  FS.mount({ mount: () => addNode(null, '/', DIRECTORY, null) }, {}, root);
  for (const [path, file] of folder.files) {
    const parts = path.split('/');
    const name = /** @type {string} */ (parts.pop());
    FS.mkdirTree([root, ...parts].join('/'));
    addNode(FS.lookupPath([root, ...parts].join('/')).node, name, FILE, file);
  }
}

/** @param {FSNode} node  Its path below the mount. */
function pathOf(node) {
  let path = node.name;
  for (let at = node.parent; at !== at.parent; at = at.parent) {
    path = `${at.name}/${path}`;
  }
  return path;
}

/**
 * @param {FSNode} parent
 * @param {string} name
 */
function joined(parent, name) {
  return parent === parent.parent ? name : `${pathOf(parent)}/${name}`;
}

/**
 * Emscripten hands its heap over as signed bytes.
 *
 * @param {Uint8Array | Int8Array} buffer
 * @param {number} offset
 * @param {number} length
 */
function bytesIn(buffer, offset, length) {
  return new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length);
}
