/** PGlite's round trips, by a peer's engine; see round_trips.py of the benchmark. */

export async function runRoundTrips(engine, { count }) {
  const { schema, groups, end } = await (
    await fetch('/bench/data/round-trips.json')
  ).json();
  await engine.exec(schema);
  await engine.makeDurable();
  const times = {};
  for (const { title, sql, parameters, writes } of groups) {
    const each = [];
    for (let id = 1; id <= count; id++) {
      const values = parameters.map((value) => value ?? id);
      const began = performance.now();
      if (writes) {
        await engine.run(sql, values);
        await engine.makeDurable();
      } else {
        await engine.all(sql, values);
      }
      each.push(performance.now() - began);
    }
    times[title] = each;
  }
  await engine.exec(end);
  await engine.makeDurable();
  return times;
}
