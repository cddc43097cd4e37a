/**
 * Offer to install the app when the browser does.
 *
 * @param {HTMLButtonElement} button  Shown exactly while it can be installed.
 */
export function offerInstall(button) {
  /** @type {BeforeInstallPromptEvent | null} */
  let offer = null;
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault();
    offer = event;
    button.hidden = false;
  });
  addEventListener('appinstalled', () => {
    button.hidden = true;
  });
  button.addEventListener('click', async () => {
    button.hidden = true;
    await offer?.prompt();
    offer = null;
  });
}
