/** Whether the database is encrypted, and what can be done about it. */

import { noteEncryption, preferences } from '../preferences.js';
import { byId } from './markup.js';
import { toast, told } from './toasts.js';

/** @import { StorageStatus } from '../../client.js' */
/** @import { Connection } from '../connection.js' */
/** @import { PassphraseDialog } from './passphrase-dialog.js' */

const NAMES = {
  chacha20: 'ChaCha20-Poly1305',
  sqlcipher: 'AES-256 in the format of SQLCipher 4',
};

const NO_WAY_BACK =
  'Nobody can bring a lost passphrase back, and without it the data are lost. ' +
  'Write it down where it is safe.';

export class EncryptionView {
  /** @type {Connection} */
  #connection;

  /** @type {PassphraseDialog} */
  #dialog;

  /** @type {() => void} */
  #onChanged;

  /** As the newest status had it. @type {boolean | null} */
  #isEncrypted = null;

  /**
   * @param {Connection} connection
   * @param {PassphraseDialog} dialog
   * @param {() => void} onChanged  The restore points are others now.
   */
  constructor(connection, dialog, onChanged) {
    this.#connection = connection;
    this.#dialog = dialog;
    this.#onChanged = onChanged;
    this.#onClick('encrypt', () => this.#encrypt());
    this.#onClick('change-passphrase', () => this.#change());
    this.#onClick('decrypt', () => this.#decrypt());
    this.#onClick('lock-now', () => connection.lock());
    const autoLock = byId('auto-lock', HTMLSelectElement);
    autoLock.value = preferences.get('auto-lock') ?? '15';
    autoLock.addEventListener('change', () =>
      preferences.set('auto-lock', autoLock.value),
    );
    connection.state.subscribe(({ kind }) => {
      if (kind !== 'locked') return;
      noteEncryption(true);
      byId('encryption-text').textContent =
        'Everything stored here is encrypted.';
    });
    connection.status.subscribe((status) => {
      if (status) this.#show(status);
    });
  }

  /** @param {StorageStatus} status */
  #show({ encryption, mode }) {
    const canBe = mode !== 'memory';
    const isEncrypted = encryption !== null;
    // Only a change is news: meanwhile some tab may be about to encrypt.
    if (canBe && isEncrypted !== this.#isEncrypted) noteEncryption(isEncrypted);
    this.#isEncrypted = isEncrypted;
    byId('encryption-text').textContent = isEncrypted
      ? `Everything stored here is encrypted by ${NAMES[encryption]}. What is typed and not sent is forgotten with the page.`
      : 'Not encrypted: whoever can read the files of this browser can read the conversations.';
    byId('encrypt').hidden = isEncrypted || !canBe;
    byId('export-other').hidden = isEncrypted;
    for (const id of [
      'lock-now',
      'change-passphrase',
      'decrypt',
      'auto-lock-field',
    ]) {
      byId(id).hidden = !isEncrypted;
    }
  }

  async #encrypt() {
    await this.#ask(
      {
        title: 'Encrypt the database',
        text: `${NO_WAY_BACK} Restore points are encrypted too; files that you have downloaded are not.`,
        accept: 'Encrypt',
        asksNew: true,
        asksFormat: true,
      },
      async ({ next, cipher }) => {
        const { storage } = await this.#connection.opened();
        await storage.encrypt(next, { cipher });
      },
      'Encrypted. Nothing is left here as plain text.',
    );
  }

  async #change() {
    await this.#ask(
      {
        title: 'Change the passphrase',
        text: `${NO_WAY_BACK} Files downloaded before keep the one they have.`,
        accept: 'Change it',
        asksCurrent: true,
        asksNew: true,
      },
      async ({ current, next }) => {
        const { storage } = await this.#connection.opened();
        await storage.changePassphrase(current, next);
      },
      'The new passphrase holds.',
    );
  }

  async #decrypt() {
    await this.#ask(
      {
        title: 'Decrypt the database',
        text: 'The database and its restore points are stored as plain text again. Whoever can read the files of this browser can then read them.',
        accept: 'Decrypt',
        asksCurrent: true,
      },
      async ({ current }) => {
        const { storage } = await this.#connection.opened();
        await storage.decrypt(current);
      },
      'Decrypted.',
    );
  }

  /**
   * @param {import('./passphrase-dialog.js').Question} question
   * @param {(given: import('./passphrase-dialog.js').Passphrases) =>
   *   Promise<void>} work
   * @param {string} done
   */
  async #ask(question, work, done) {
    if (!(await this.#dialog.ask(question, work))) return;
    await this.#connection.refreshStatus();
    this.#onChanged();
    toast(done);
  }

  /**
   * @param {string} id
   * @param {() => Promise<void>} run
   */
  #onClick(id, run) {
    byId(id).addEventListener('click', () => told(run));
  }
}
