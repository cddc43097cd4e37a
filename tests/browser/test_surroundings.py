"""The tests' own surroundings: what other browser tests take for granted."""

from playwright.sync_api import expect

STORE = """text => new Promise((resolve, reject) => {
  const request = indexedDB.open('surroundings', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('text');
  request.onerror = () => reject(request.error);
  request.onsuccess = () => {
    const write = request.result.transaction('text', 'readwrite', {
      durability: 'strict',
    });
    write.objectStore('text').put(text, 'key');
    write.oncomplete = () => resolve(true);
  };
})"""

LOAD = """() => new Promise((resolve, reject) => {
  const request = indexedDB.open('surroundings', 1);
  request.onerror = () => reject(request.error);
  request.onsuccess = () => {
    const read = request.result.transaction('text').objectStore('text').get('key');
    read.onsuccess = () => resolve(read.result);
  };
})"""

ADD_INLINE_SCRIPT = """() => new Promise((resolve) => {
  document.addEventListener('securitypolicyviolation', (event) =>
    resolve(event.effectiveDirective),
  );
  const script = document.createElement('script');
  script.textContent = 'globalThis.ran = true';
  document.head.append(script);
})"""


def test_a_console_error_is_a_fault_unless_it_was_announced(bare_page, faults):
    bare_page.evaluate("console.error('first')")
    bare_page.evaluate("setTimeout(() => { throw new Error('second'); })")
    bare_page.wait_for_timeout(100)

    assert len(faults.unexpected) == 2

    faults.allow("first")
    faults.allow("second")
    assert faults.unexpected == []


def test_the_page_is_under_the_apps_policy(bare_page, faults):
    faults.allow("Content Security Policy")

    assert bare_page.evaluate(ADD_INLINE_SCRIPT) == "script-src-elem"
    assert bare_page.evaluate("globalThis.ran") is None


def test_a_stopped_server_answers_no_open_tab(bare_page, app_server, faults):
    faults.allow("ERR_CONNECTION")
    status = "fetch('/release.json').then((answer) => answer.status, () => 0)"
    assert bare_page.evaluate(status) == 200

    app_server.stop()
    assert bare_page.evaluate(status) == 0

    app_server.start()
    assert bare_page.evaluate(status) == 200


def test_a_killed_browser_leaves_its_profile(persistent_profile, app_server):
    page = persistent_profile.launch().new_page()
    page.goto(f"{app_server.url}/tests/blank.html")
    page.evaluate(STORE, "kept")

    persistent_profile.kill()

    page = persistent_profile.launch().new_page()
    page.goto(f"{app_server.url}/tests/blank.html")
    assert page.evaluate(LOAD) == "kept"


def test_a_browser_opens_the_app(each_context, open_app):
    page = open_app(each_context, "/tests/blank.html")

    expect(page).to_have_title("Blank")


def test_the_wheels_that_only_tests_need_are_served(bare_page, wheel_urls):
    status = "(url) => fetch(url).then((answer) => answer.status)"

    assert bare_page.evaluate(status, wheel_urls["sqlalchemy"]) == 200
