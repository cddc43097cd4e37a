/**
 * Bringing a database in: look into it, choose how, import, undo.
 *
 * Rule 1: nothing is changed before the person has seen what is in the file and
 *         has said how.
 * Rule 2: while the import runs the dialog stays; its outcome is never missed.
 */

import { formatBytes } from '../format.js';
import {
  describeKind,
  inspectionFacts,
  reportFacts,
} from '../import-summary.js';
import { showDialog } from './dialogs.js';
import { byId, codeOf, messageOf, part, showFacts } from './markup.js';
import { toast, told } from './toasts.js';

/** @import { ImportReport } from '../../client.js' */
/** @import { Connection } from '../connection.js' */

/** Of a file, or a wrong one. */
const NEEDS_PASSPHRASE = new Set(['passphrase_required', 'wrong_passphrase']);

/** @typedef {'inspecting' | 'locked' | 'refused' | 'preview' | 'importing' | 'done'} Stage */

export class ImportDialog {
  #dialog = byId('import-dialog', HTMLDialogElement);
  #title = byId('import-title');
  #bar = byId('import-bar', HTMLProgressElement);
  #input = byId('import-file', HTMLInputElement);
  #undo = byId('import-undo', HTMLButtonElement);
  #passphrase = byId('import-passphrase', HTMLInputElement);

  /** @type {Connection} */
  #connection;

  /** @type {(restorePointId: string) => Promise<void>} */
  #onUndo;

  /** @type {() => void} */
  #onImported;

  /** @type {Stage} */
  #stage = 'inspecting';

  /** @type {File | null} */
  #file = null;

  /** @type {string | null} */
  #restorePointId = null;

  /**
   * @param {Connection} connection
   * @param {object} on
   * @param {(restorePointId: string) => Promise<void>} on.undo
   * @param {() => void} on.imported
   */
  constructor(connection, on) {
    this.#connection = connection;
    this.#onUndo = on.undo;
    this.#onImported = on.imported;
    const button = byId('import', HTMLButtonElement);
    button.addEventListener('click', () => this.#input.click());
    byId('import-other').addEventListener('click', () => this.#input.click());
    this.#input.addEventListener('change', () => {
      const file = this.#input.files?.[0];
      this.#input.value = '';
      if (file) void this.show(file);
    });
    this.#undo.addEventListener('click', () => void this.#undoImport());
    this.#dialog.addEventListener('cancel', (event) => {
      if (this.#stage === 'importing') event.preventDefault();
    });
    connection.state.subscribe(({ kind }) => {
      button.disabled = kind !== 'ready';
    });
  }

  /**
   * Look into *file* and offer to import it.
   *
   * @param {File} file
   */
  async show(file) {
    if (this.#stage === 'importing') return;
    this.#file = file;
    this.#passphrase.value = '';
    if (!this.#dialog.open) {
      void showDialog(this.#dialog, () => {
        void this.#goOn();
        return false;
      }).then(() => {
        this.#passphrase.value = '';
      });
    }
    await this.#inspect(file);
  }

  async #goOn() {
    if (this.#stage === 'locked' && this.#file) await this.#inspect(this.#file);
    else await this.#import();
  }

  /** Of an encrypted file. */
  #given() {
    const { value: passphrase } = this.#passphrase;
    return passphrase === '' ? {} : { passphrase };
  }

  /** @param {File} file */
  async #inspect(file) {
    this.#enter(
      'inspecting',
      `Looking into ${file.name}`,
      formatBytes(file.size),
    );
    try {
      const { storage } = await this.#connection.opened();
      const found = await storage.inspectBackup(file, this.#given());
      if (file !== this.#file) return;
      const isImportable = found.importable;
      this.#enter(
        isImportable ? 'preview' : 'refused',
        isImportable ? `Import ${file.name}?` : 'This file cannot be imported',
        describeKind(found.kind),
      );
      showFacts(byId('import-facts'), inspectionFacts(found));
      byId('import-facts').hidden = false;
      this.#showProblems(found.problems);
    } catch (error) {
      if (file !== this.#file) return;
      if (NEEDS_PASSPHRASE.has(codeOf(error) ?? '')) this.#askFor(file, error);
      else this.#refuse(file, error);
    }
  }

  /**
   * @param {File} file
   * @param {unknown} error
   */
  #askFor(file, error) {
    const isWrong = codeOf(error) === 'wrong_passphrase';
    this.#enter(
      'locked',
      `${file.name} is encrypted`,
      isWrong
        ? 'That is not its passphrase. Try it again.'
        : 'Its passphrase opens it; or it is no database at all.',
    );
    this.#passphrase.select();
    this.#passphrase.focus();
  }

  async #import() {
    const file = this.#file;
    if (this.#stage !== 'preview' || !file) return;
    const mode = this.#mode();
    this.#enter(
      'importing',
      'Importing',
      `${file.name}, ${formatBytes(file.size)}`,
    );
    try {
      const { storage } = await this.#connection.opened();
      const report = await storage.importDatabase(file, {
        mode,
        ...this.#given(),
        onProgress: ({ fraction }) => this.#showProgress(fraction),
      });
      this.#showReport(file, report);
    } catch (error) {
      this.#refuse(file, error);
      this.#title.textContent = 'The import failed';
    }
    this.#onImported();
  }

  /**
   * @param {File} file
   * @param {ImportReport} report
   */
  #showReport(file, report) {
    const words = report.mode === 'merge' ? 'Merged' : 'Replaced';
    this.#enter('done', 'Imported', `${words} from ${file.name}.`);
    const facts = reportFacts(report).filter(([, value]) => value !== null);
    showFacts(
      byId('import-facts'),
      facts.length > 0 ? facts : [['Changes', 'none: all of it was here']],
    );
    byId('import-facts').hidden = false;
    this.#showProblems(report.problems);
    this.#restorePointId = report.restorePoint?.id ?? null;
    this.#undo.hidden = this.#restorePointId === null;
  }

  async #undoImport() {
    const id = this.#restorePointId;
    if (id === null) return;
    this.#undo.disabled = true;
    await told(() => this.#onUndo(id));
    this.#undo.disabled = false;
    this.#dialog.close();
  }

  /**
   * @param {File} file
   * @param {unknown} error
   */
  #refuse(file, error) {
    this.#enter(
      'refused',
      'This file cannot be imported',
      `${file.name}, ${formatBytes(file.size)}. Your database is as it was.`,
    );
    const box = byId('import-error');
    box.hidden = false;
    box.textContent = messageOf(error);
  }

  /**
   * @param {Stage} stage
   * @param {string} title
   * @param {string} subtitle
   */
  #enter(stage, title, subtitle) {
    this.#stage = stage;
    this.#title.textContent = title;
    byId('import-subtitle').textContent = subtitle;
    byId('import-status').textContent = title;
    const isBusy = stage === 'inspecting' || stage === 'importing';
    this.#bar.hidden = !isBusy;
    this.#bar.removeAttribute('value');
    byId('import-error').hidden = true;
    byId('import-facts').hidden = true;
    byId('import-problems').hidden = true;
    byId('import-modes').hidden = stage !== 'preview';
    const canGoOn = stage === 'preview' || stage === 'locked';
    byId('import-accept').hidden = !canGoOn;
    byId('import-accept').textContent = stage === 'locked' ? 'Open' : 'Import';
    byId('import-passphrase-field').hidden = stage !== 'locked';
    byId('import-other').hidden = stage !== 'refused' && stage !== 'locked';
    this.#undo.hidden = true;
    const cancel = part(this.#dialog, 'cancel', HTMLButtonElement);
    cancel.disabled = stage === 'importing';
    cancel.textContent = canGoOn || isBusy ? 'Cancel' : 'Close';
    // What had the focus may be gone: the title says where one is.
    this.#title.focus();
  }

  /** @param {readonly { code: string, message: string }[]} problems */
  #showProblems(problems) {
    const list = byId('import-problems');
    list.hidden = problems.length === 0;
    const items = problems.map(({ message }) => {
      const item = document.createElement('li');
      item.textContent = message;
      return item;
    });
    list.replaceChildren(...items);
  }

  /** @param {number} fraction */
  #showProgress(fraction) {
    if (this.#stage === 'importing') this.#bar.value = fraction;
  }

  /** @returns {'merge' | 'replace'} */
  #mode() {
    const chosen = this.#dialog.querySelector(
      'input[name="import-mode"]:checked',
    );
    return chosen instanceof HTMLInputElement && chosen.value === 'replace'
      ? 'replace'
      : 'merge';
  }
}

/**
 * A file dropped anywhere is looked into, and so is one the system opens the
 * app with.
 *
 * @param {(file: File) => void} onFile
 */
export function acceptFiles(onFile) {
  const overlay = byId('drop-overlay');
  let depth = 0;
  const show = (/** @type {boolean} */ isOver) => {
    if (!isOver) depth = 0;
    overlay.hidden = !isOver;
  };
  addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    show(true);
  });
  addEventListener('dragover', (event) => {
    if (!hasFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'copy';
  });
  addEventListener('dragleave', (event) => {
    if (!hasFiles(event)) return;
    depth -= 1;
    if (depth <= 0) show(false);
  });
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    // Without this the browser leaves the page to show the file.
    event.preventDefault();
    show(false);
    const files = event.dataTransfer?.files ?? [];
    if (files.length > 1) toast('One database at a time: the first was taken.');
    if (files[0]) onFile(files[0]);
  });
  window.launchQueue?.setConsumer(async ({ files }) => {
    const handle = files?.[0];
    if (handle) onFile(await handle.getFile());
  });
}

/** @param {DragEvent} event */
const hasFiles = ({ dataTransfer }) =>
  dataTransfer?.types.includes('Files') ?? false;
