/** The name of what is open: in the bar, in the window's title, to rename. */

import { titleOf } from '../conversation-index.js';
import { byId } from './markup.js';

/** @import { Conversation } from '../../client.js' */
/** @import { OpenConversation } from '../open-conversation.js' */

/**
 * @param {OpenConversation} open
 * @param {(conversation: Conversation) => void} onRename
 */
export function setUpTitle(open, onRename) {
  const rename = byId('rename', HTMLButtonElement);
  rename.addEventListener('click', () => {
    const { conversation } = open.state.value;
    if (conversation) onRename(conversation);
  });
  open.state.subscribe(({ kind, conversation }) => {
    let title = 'New conversation';
    if (kind === 'loading') title = 'Opening';
    if (kind === 'absent') title = 'This conversation is not here';
    if (conversation) title = titleOf(conversation);
    byId('conversation-title').textContent = title;
    document.title = conversation ? `${title} – Workbench` : 'Workbench';
    rename.hidden = !conversation;
  });
}
