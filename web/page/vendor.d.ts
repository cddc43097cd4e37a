// build.py copies these two from npm into dist/vendor/.
declare module '*/vendor/marked.js' {
  export * from 'marked';
}

declare module '*/vendor/purify.js' {
  export { default } from 'dompurify';
}
