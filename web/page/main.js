/** Puts the Workbench together: what there is, and what tells what to whom. */

import { Connection } from './connection.js';
import { ConversationIndex, titleOf } from './conversation-index.js';
import { describeStatus, durabilityOf } from './durability.js';
import { lockWhenIdle } from './idle-lock.js';
import { offerInstall } from './install-prompt.js';
import { OpenConversation } from './open-conversation.js';
import { askOnce, persistWords } from './persistence.js';
import { Personas } from './personas.js';
import { onPreference, preferences } from './preferences.js';
import { followReleases } from './releases.js';
import { downloadStored } from './rescue.js';
import { Router } from './router.js';
import { orderSnapshot } from './snapshot-order.js';
import { littleSpaceWords, pressureOf } from './storage-pressure.js';
import { BackupView } from './views/backup-view.js';
import { BootView } from './views/boot-view.js';
import { ComposerView } from './views/composer-view.js';
import { askForName, confirmWith } from './views/dialogs.js';
import { Drawers } from './views/drawers.js';
import { EncryptionView } from './views/encryption-view.js';
import { HealingView } from './views/healing-view.js';
import { ImportDialog, acceptFiles } from './views/import-dialog.js';
import { InspectorView } from './views/inspector-view.js';
import { LockView } from './views/lock-view.js';
import { byId } from './views/markup.js';
import { PassphraseDialog } from './views/passphrase-dialog.js';
import { PersonaView } from './views/persona-view.js';
import { PressureView } from './views/pressure-view.js';
import { ProviderDialog } from './views/provider-dialog.js';
import { PruneDialog } from './views/prune-dialog.js';
import { RescueView } from './views/rescue-view.js';
import { SearchView } from './views/search-view.js';
import { SidebarView } from './views/sidebar-view.js';
import { StoragePanel } from './views/storage-panel.js';
import { setUpTabs } from './views/tabs.js';
import { setUpThemeButton } from './views/theme-button.js';
import { setUpTitle } from './views/title-view.js';
import { toast, toastError, told } from './views/toasts.js';
import { TranscriptView } from './views/transcript-view.js';
import { UsagePanel } from './views/usage-panel.js';

/** @import { Conversation } from '../client.js' */
/** @import { StateWords } from './durability.js' */

const connection = new Connection(durabilityOf(preferences.get('durability')));
const router = new Router();
const personas = new Personas(connection);
const index = new ConversationIndex(connection);
const conversation = new OpenConversation(connection);
conversation.open(router.route.value.conversationId);

setUpThemeButton();
const drawers = new Drawers();
const usage = new UsagePanel(connection);
const showTab = setUpTabs((panelId) => {
  if (panelId === 'usage-panel') usage.shown();
});
const transcript = new TranscriptView(conversation, (at) =>
  told(() => conversation.retry(at)),
);
const composer = new ComposerView(conversation, {
  onSending: () => void told(askToKeep),
  onCreated: (id) => router.rename(id),
  onError: (error) => {
    // Stopped before it was sent: the text is back, no more is to say.
    if (!(error instanceof DOMException && error.name === 'AbortError')) {
      toastError(error);
    }
  },
});
const search = new SearchView(connection);
new SidebarView(index, conversation, {
  onRename: rename,
  onDelete: remove,
  nameOfPersona: (id) => personas.nameOf(id),
});
new PersonaView(personas, conversation, (personaId) => {
  router.go(null);
  conversation.open(null);
  conversation.choosePersona(personaId);
});
new ProviderDialog(connection);
setUpTitle(conversation, rename);

const storagePanel = new StoragePanel(connection);
new InspectorView(connection);
const passphrases = new PassphraseDialog();
const backups = new BackupView(connection, passphrases);
const healing = new HealingView(connection, () => {
  showTab('tab-storage');
  drawers.open('panel');
  byId('restore-heading').scrollIntoView();
});
new EncryptionView(connection, passphrases, () =>
  told(() => Promise.all([backups.refresh(), healing.refresh()])),
);
const importDialog = new ImportDialog(connection, {
  undo: (id) => backups.restore(id),
  imported: () => told(() => backups.refresh()),
});
const download = () => byId('download').click();
const pruneDialog = new PruneDialog(connection, {
  download,
  pruned: () => void told(leavePruned),
});
new PressureView(connection, {
  download,
  freeSpace: () => void pruneDialog.show(),
});
new BootView(connection, downloadStored);
new RescueView(connection);
new LockView(connection, downloadStored);
lockWhenIdle(connection);

personas.list.subscribe(() => index.redraw());
let isStart = true;
router.route.subscribe(({ conversationId, eventId }) => {
  conversation.open(conversationId);
  if (eventId !== null) transcript.seek(eventId);
  // At the start the focus is the person's; typing finds its way anyhow.
  else if (conversationId === null && !isStart) composer.focus();
  isStart = false;
  drawers.close('sidebar');
});
connection.failure.subscribe((error) => {
  if (error !== null) toastError(error);
});
let isWarned = false;
connection.status.subscribe((status) => {
  const isUnsaved =
    status !== null && describeStatus(status).tone === 'unsaved';
  // For want of space there is a banner.
  const hasBanner = status !== null && pressureOf(status)?.kind === 'full';
  if (isUnsaved && !isWarned && !hasBanner) warnUnsaved(describeStatus(status));
  isWarned = isUnsaved;
});
const atStart = new AbortController();
connection.status.subscribe(
  (status) => {
    if (!status || status.quota === null) return;
    atStart.abort();
    const words = littleSpaceWords(status);
    if (words) offerBackup(words);
  },
  { signal: atStart.signal },
);
byId('state-chip').addEventListener('click', () => {
  showTab('tab-storage');
  drawers.open('panel');
});
addEventListener('keydown', (event) => {
  const isCommand = event.ctrlKey || event.metaKey;
  if (!isCommand || event.key.toLowerCase() !== 'k') return;
  event.preventDefault();
  if (document.querySelector('dialog[open]')) return;
  drawers.closeOverlays();
  if (!byId('search-input').checkVisibility({ visibilityProperty: true })) {
    drawers.open('sidebar');
  }
  search.focus();
});
acceptFiles((file) => void importDialog.show(file));
offerInstall(byId('install', HTMLButtonElement));
onPreference('durability', (mode) => {
  // Another tab chose: the strictest of all tabs holds, so all have to follow.
  void told(() => connection.reopen(durabilityOf(mode)));
});
void start();
void connection.opened().then(orderSnapshot);

async function start() {
  const opening = connection.open();
  // On a first visit both would fetch the same large files: one at a time.
  // Later a release that does not start must not keep out the next one.
  if (!navigator.serviceWorker?.controller) await opening;
  await followReleases({
    onOffline: (text) => storagePanel.showOffline(text),
    onNewRelease(reload) {
      byId('release-notice').hidden = false;
      byId('release-reload').addEventListener('click', reload, { once: true });
    },
  });
}

/** What is open may have gone. */
async function leavePruned() {
  await backups.refresh();
  const { id } = conversation.state.value;
  if (id === null) return;
  const { storage } = await connection.opened();
  if (!(await storage.conversations.get(id))) router.go(null);
}

async function askToKeep() {
  const persisted = connection.status.value?.persisted ?? null;
  const isGranted = await askOnce(persisted);
  if (isGranted === null) return;
  // Most are declined at first; the storage panel says so, and asks again.
  if (isGranted) toast(persistWords(true));
  await connection.refreshStatus();
}

/** @param {StateWords} words */
const warnUnsaved = ({ word }) => offerBackup(`${word}. Keep this tab open.`);

/** @param {string} text */
function offerBackup(text) {
  const action = { label: 'Download backup', run: download };
  toast(text, { tone: 'bad', action });
}

/** @param {Conversation} chosen */
async function rename(chosen) {
  const name = await askForName(titleOf(chosen));
  if (name === null) return;
  await told(async () => {
    const { storage } = await connection.opened();
    await storage.conversations.rename(chosen.id, name);
    await renameSession(chosen.id, name);
  });
}

/**
 * The session names the conversation in the workspace: both keep step.
 * Imported conversations have none.
 *
 * @param {string} id
 * @param {string} name
 */
async function renameSession(id, name) {
  const { storage } = await connection.opened();
  const session = await storage.sessions.get(id);
  if (!session) return;
  const { userId, targetType, targetId } = session;
  await storage.sessions.save(id, userId, name, targetType, targetId);
}

/** @param {Conversation} chosen */
async function remove(chosen) {
  const isSure = await confirmWith({
    title: 'Delete this conversation?',
    text: `“${titleOf(chosen)}” and everything said in it will be gone from this database. Backups keep it.`,
    accept: 'Delete',
  });
  if (!isSure) return;
  await told(async () => {
    const { storage } = await connection.opened();
    await storage.conversations.delete(chosen.id);
    await storage.sessions.delete(chosen.id);
    if (conversation.state.value.id === chosen.id) router.go(null);
  });
}
