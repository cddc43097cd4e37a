/** The 16 tests, by a peer's engine; see sixteen.py of the benchmark. */

import { writtenBytes } from './written-bytes.js';

export async function runSixteen(engine, only) {
  const tests = await (await fetch('/bench/data/sixteen.json')).json();
  const answers = [];
  for (const test of tests.slice(0, only)) {
    const before = writtenBytes();
    const began = performance.now();
    for (const statement of test.statements) await engine.run(statement);
    if (test.script) await engine.exec(test.script);
    await engine.makeDurable();
    const ms = performance.now() - began;
    const bytes = writtenBytes() - before;
    answers.push({ ms, bytes, found: await check(engine, test.checks) });
  }
  return answers;
}

async function check(engine, checks) {
  const found = [];
  for (const sql of checks) {
    const row = await engine.get(sql);
    found.push(Object.values(row).map(Number));
  }
  return found;
}
