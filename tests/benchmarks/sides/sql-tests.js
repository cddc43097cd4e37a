/** Suites that are SQL, by a peer's engine; see sql_test.py of the benchmark. */

import { writtenBytes } from './written-bytes.js';

export async function runTests(engine, name, only) {
  const tests = await (await fetch(`/bench/data/${name}.json`)).json();
  const answers = [];
  const before = writtenBytes();
  for (const test of tests.slice(0, only)) {
    const began = performance.now();
    for (const statement of test.statements) {
      await engine.run(statement);
      await engine.makeDurable();
    }
    if (test.script) await engine.exec(test.script);
    await engine.makeDurable();
    const ms = performance.now() - began;
    answers.push({ ms, found: await check(engine, test.checks) });
  }
  return { answers, bytes: writtenBytes() - before };
}

/** The first commits of a runtime, of all sides, before a clock is started. */
export async function warmUp(engine, count) {
  await engine.exec('CREATE TABLE warm_up(a INTEGER, c VARCHAR(100))');
  const began = performance.now();
  for (let a = 0; a < count; a++) {
    await engine.run(`INSERT INTO warm_up VALUES(${a}, 'number ${a}')`);
    await engine.makeDurable();
  }
  const ms = performance.now() - began;
  await engine.exec('DROP TABLE warm_up');
  await engine.makeDurable();
  return { ms: ms / count };
}

async function check(engine, checks) {
  const found = [];
  for (const sql of checks) {
    const row = await engine.get(sql);
    found.push(Object.values(row).map(Number));
  }
  return found;
}
