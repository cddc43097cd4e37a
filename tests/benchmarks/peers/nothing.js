/** Stands for Node's modules, which sql.js 1.13 names and a browser never uses. */
export default {};
