"""Text is shown as text, calls of no sense are refused, and nothing is let in.

The page's own policy reports what it had to stop; it must have had nothing to do.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.workbench import Workbench
from tests.faults.hostile_files import (
    KINDS,
    cyclic_trees,
    expression_indexes,
    giant_cells,
    hostile_file,
    lying_schemas,
    slow_expressions,
    trees_that_multiply,
    triggers,
)

TEXTS = (
    "<script>globalThis.ran = 1</script>",
    "<img src=x onerror='globalThis.ran = 2'>",
    "<svg onload='globalThis.ran = 3'><animate onbegin='globalThis.ran = 4'/></svg>",
    "<iframe srcdoc='<script>parent.ran = 5</script>'></iframe>",
    "[a](javascript:globalThis.ran=6) [b](&#106;avascript:globalThis.ran=7)",
    "[c](java\tscript:alert(1)) [d](data:text/html,<script>alert(1)</script>)",
    "<javascript:globalThis.ran=8> <vbscript:alert(1)>",
    "![e](https://other.example/pixel.png) ![f](//other.example/pixel.svg)",
    '![g](data:image/svg+xml,<svg onload="globalThis.ran=9"/>)',
    '![h](data:image/png;base64,AAAA"onerror="globalThis.ran=10)',
    "[i]: https://other.example 'x' onclick='globalThis.ran=11'\n[i]",
    "<style>body { display: none }</style><base href='https://other.example/'>",
    "<form action='https://other.example/'><input name=q></form>",
    "<math><mtext><table><mglyph><style><img src=x onerror='globalThis.ran=12'>",
    "{{constructor.constructor('globalThis.ran=13')()}} ${globalThis.ran=14}",
    "\u202egnp.exe \u2066hidden\u2069 \x00 \ufeff",
)

WATCH = """
globalThis.violations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""

FILL = """async (texts) => {
  const { createAgentOSStorage } = await import('/client.js');
  const storage = await createAgentOSStorage();
  const events = texts.flatMap((text) => [
    { type: 'user_message', text },
    { type: 'final_response', finalResponseText: text },
    { type: 'tool_call_request', toolName: text, arguments: { [text]: text } },
    { type: 'error', message: text },
  ]);
  for (const [n, text] of texts.entries()) {
    const definition = { displayName: text, description: text, systemPrompt: text };
    await storage.personas.cache(`p${n}`, text, definition, { description: text });
    await storage.conversations.save(
      `c${n}`, 'local', `p${n}`, [events[4 * n]], { title: text });
  }
  await storage.conversations.save('all', 'local', 'p0', events, { title: 'All' });
  await storage.flush();
  await storage.close();
}"""

# What a text could have become.
LIVE = """() => [...document.querySelectorAll('body *')].filter((element) =>
  element.matches('body script, iframe, object, embed, base, style, form[action^=http]')
  || (element.matches('.transcript svg, .transcript math')
      && !element.matches('.icon, .icon *'))
  || [...element.attributes].some(({ name, value }) => name.startsWith('on')
      || (/^(href|src|action|xlink:href)$/.test(name)
          && !/^(https?:|mailto:|#|\\.|blob:|data:image.(png|gif|webp);)/.test(value)
          && !/^[\\w./-]+$/.test(value)))
).map((element) => element.outerHTML.slice(0, 200))"""


@pytest.fixture
def foreign(context, app_server):
    """What was asked of any other origin."""
    seen: list[str] = []

    def note(request) -> None:
        if not request.url.startswith((app_server.url, "blob:", "data:")):
            seen.append(request.url)

    context.on("request", note)
    context.add_init_script(WATCH)
    return seen


def assert_nothing_ran(page, foreign):
    assert page.evaluate("globalThis.ran ?? null") is None
    assert page.evaluate(LIVE) == []
    assert page.evaluate("violations") == []
    assert foreign == []


def test_stored_text_is_shown_as_text(context, open_app, foreign):
    """In messages, titles, personas, search results, and the names of files."""
    blank = open_app(context, "/tests/blank.html")
    blank.evaluate(FILL, list(TEXTS))
    bench = Workbench(open_app(context))
    bench.expect_ready()
    page = bench.page

    links = bench.conversations.get_by_role("link")
    expect(links).to_have_count(len(TEXTS) + 1)
    expect(links.filter(has_text="<script>").first).to_be_visible()
    bench.conversations.get_by_role("link", name=re.compile("^All")).click()
    expect(bench.questions).to_have_count(len(TEXTS))
    expect(bench.questions.first).to_contain_text(TEXTS[0])
    expect(bench.answers.first).to_contain_text(TEXTS[0])
    page.wait_for_timeout(500)
    assert_nothing_ran(page, foreign)

    for text in TEXTS[:6]:
        bench.conversations.get_by_role("link").filter(
            has_text=text.split("\t")[0][:24]
        ).last.click()
        expect(bench.title).to_contain_text(text.split("\t")[0][:20])
    assert_nothing_ran(page, foreign)

    bench.search.fill("globalThis ran")
    expect(bench.hits.first).to_be_visible()
    assert_nothing_ran(page, foreign)

    page.evaluate(
        """(name) => {
          const data = new DataTransfer();
          data.items.add(new File(['no database'], name));
          for (const kind of ['dragenter', 'dragover', 'drop']) {
            document.body.dispatchEvent(
              new DragEvent(kind, { dataTransfer: data, bubbles: true }));
          }
        }""",
        "<img src=x onerror='globalThis.ran=20'>.db",
    )
    expect(page.get_by_role("dialog")).to_contain_text("<img src=x")
    assert_nothing_ran(page, foreign)


@pytest.mark.parametrize(
    "kind",
    [
        *(cyclic_trees, trees_that_multiply, triggers, lying_schemas),
        *(expression_indexes, slow_expressions, giant_cells),
    ],
)
def test_a_hostile_file_leaves_host_and_data_as_they_were(
    shared_page, request, tmp_path, kind
):
    """As in `tests/faults`, with the SQLite and the Python of the browser."""
    page = shared_page
    page.evaluate(
        """async (dbName) => {
          const { createAgentOSStorage } = await import('/client.js');
          globalThis.storage = await createAgentOSStorage({ dbName });
          await storage.conversations.save(
            'live', 'me', 'p', [{ type: 'user_message', text: 'still here' }]);
        }""",
        request.node.name,
    )
    for number in range(3):
        content = list(hostile_file(11, KINDS.index(kind) + number * len(KINDS)))
        end = page.evaluate(
            """async (content) => {
              const file = new Blob([new Uint8Array(content)]);
              return storage.importDatabase(file, { mode: 'merge' }).then(
                () => 'imported', (error) => error.code);
            }""",
            content,
        )
        assert end == "imported" or end.startswith("backup"), end
        hits = page.evaluate("storage.conversations.search('still here')")
        assert [hit["conversationId"] for hit in hits] == ["live"]
        check = "storage.getAdapter().get('PRAGMA quick_check')"
        assert page.evaluate(check) == {"quick_check": "ok"}
    page.evaluate("storage.close()")


def test_calls_of_no_sense_are_refused_and_the_host_goes_on(shared_page):
    """Through the very port that the page has: no table names them."""
    found = shared_page.evaluate(
        """async () => {
          const { createAgentOSStorage } = await import('/client.js');
          const storage = await createAgentOSStorage({ dbName: 'senseless' });
          const db = storage.getAdapter();
          const codeOf = (promise) =>
            promise.then(() => 'no error', (error) => error.code);
          const codes = [];
          for (const method of [
            '__proto__', 'constructor', '__class__', 'storage.__init__', 'eval',
            'os.system', '', 'db.run.call', 'STORAGE.STATUS', '\\0', 'x'.repeat(1e6),
          ]) {
            codes.push(await codeOf(db.session.call(method, {})));
          }
          let deep = [];
          for (let i = 0; i < 20_000; i++) deep = [deep];
          const hostile = [
            [{}], [Infinity, [NaN]], { __proto__: null, x: new Date(0).toString() },
            [['a', 'b']], 'text', 5, [undefined, () => 1], [deep], [deep, deep],
          ];
          const refusals = [];
          for (const parameters of hostile) {
            refusals.push(await codeOf(db.run('SELECT ?', parameters)));
          }
          const after = await db.get('SELECT 1 AS one');
          await storage.close();
          return { codes, refusals, after };
        }"""
    )

    assert set(found["codes"]) == {"unknown_method"}
    assert found["after"] == {"one": 1}
    assert "no error" not in found["refusals"]
    assert "host_changed" not in found["refusals"]
