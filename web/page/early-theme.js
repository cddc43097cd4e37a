// A classic script, run before the first paint: what a person chose must not
// flash in afterwards. The keys and words are those of preferences.js.
(() => {
  const root = document.documentElement;
  /** @param {string} key */
  const read = (key) => {
    try {
      return localStorage.getItem(`pyodide-app:${key}`);
    } catch {
      return null; // Storage is blocked: the defaults hold.
    }
  };
  const theme = read('theme');
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  const isWide = matchMedia('(width > 1120px)').matches;
  root.dataset.panel = isWide && read('panel') !== 'closed' ? 'open' : 'closed';
})();
