/**
 * What of the original is bundled: its adapter, as its package has it. The path
 * is spelled out because its package exports only an entry point that imports
 * every Node adapter too.
 */
export { IndexedDbAdapter } from './node_modules/@framers/sql-storage-adapter/dist/adapters/indexedDbAdapter.js';
