/**
 * ESLint for all JavaScript of the project. Run from the project's root, which
 * becomes the base of the patterns: `eslint --config web/eslint.config.js web`.
 *
 * The globals of each folder are those its TypeScript program knows. tsc alone
 * is not enough: it takes `document.title = …` in a worker for a declaration.
 */

import js from '@eslint/js';
import globals from 'globals';

/** What every JavaScript engine has, in and outside of browsers. */
const CORE = globals.es2022;

/** @param {Record<string, unknown>} names */
const knows = (names) => ({
  languageOptions: {
    ecmaVersion: 2022,
    sourceType: 'module',
    globals: { ...CORE, ...names },
  },
});

export default [
  { ignores: ['**/node_modules/', 'build/', 'dist/', '.venv/'] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-console': ['error', { allow: ['warn', 'error'] }],
      'no-implied-eval': 'error',
      'no-eval': 'error',
      'no-promise-executor-return': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'require-atomic-updates': 'off',
    },
  },
  { files: ['**/core/**/*.js'], ...knows({}) },
  {
    files: ['**/worker/**/*.js', '**/service-worker.js'],
    ...knows({ ...globals.worker, ...globals.serviceworker }),
  },
  {
    files: ['**/page/**/*.js', '**/client.js'],
    ...knows(globals.browser),
  },
  {
    files: ['tests/js/**/*.js', 'tests/faults/**/*.js'],
    ...knows({ ...globals.nodeBuiltin, ...globals.node }),
  },
  {
    // Served to a browser by the tests, to the page or to its worker.
    files: ['tests/browser/**/*.js', 'tests/benchmarks/**/*.js'],
    ...knows({ ...globals.browser, ...globals.worker }),
  },
  { files: ['**/eslint.config.js'], ...knows({}) },
];
