"""The playground in a real browser: what one types, clicks and sees."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventdefs.play.server import PlayServer
from eventdefs.play.sessions import begin, read_saved
from tests.browser import chromium, downloads, problems_of, wait_for
from tests.test_cli import TOP

__all__ = ["chromium", "downloads"]

DEFINITIONS = """\
- event_type: volume.*
  traits:
    resource_id: {fields: payload.volume_id, required: true}
    size: {fields: payload.size, type: int}
    name: payload.display_nam
    zone: payload.availability_zone

- event_type: volume.resize.*
  traits: {}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayServer]:
    folder = tmp_path_factory.mktemp("definitions")
    (folder / "volumes.yaml").write_text(DEFINITIONS)
    session = begin([str(folder / "volumes.yaml"), str(TOP / "meters.yaml")], [str(TOP / "samples" / "cinder")])
    with PlayServer(session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Page:
    """The playground, as somebody sees it."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        self.url = url

    def open(self, width: int = 1440, height: int = 900, colours: str = "light") -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.prefer(colours)
        self.browser.get(self.url)
        self.settled()

    def prefer(self, colours: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": colours}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def settled(self) -> None:
        """Wait until what stands there is evaluated, shown and drawn."""
        script = "return document.body.dataset.evaluated === 'yes' && document.body.dataset.compared === 'yes'"
        wait_for(self.browser, lambda: self.run(script), "an evaluation")
        self.browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def one(self, selector: str) -> Any:
        return wait_for(self.browser, lambda: self.all(selector), selector)[0]

    def all(self, selector: str) -> list[Any]:
        return list(self.browser.find_elements("css selector", selector))

    def text(self, selector: str) -> str:
        return str(self.one(selector).text)

    @property
    def definitions(self) -> Any:
        return self.one("#definitions .editor:not([hidden]) textarea")

    @property
    def notification(self) -> Any:
        return self.one("#notification textarea")

    def value(self, textarea: Any) -> str:
        return str(self.run("return arguments[0].value", textarea))

    def caret_after(self, textarea: Any, text: str) -> None:
        """Put the caret behind the first *text*."""
        script = (
            "const [t, x] = arguments; const at = t.value.indexOf(x) + x.length; t.focus(); t.setSelectionRange(at, at)"
        )
        assert text in self.value(textarea)
        self.run(script, textarea, text)

    def type(self, *keys: str) -> None:
        """Type *keys* where the focus is, each by itself or in one word."""
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def chord(self, modifier: str, key: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def rows(self, label: str) -> dict[str, list[str]]:
        """Return the rows of the table *label* by the text of their heading."""
        script = """return [...document.querySelectorAll(`table[aria-label="${arguments[0]}"] tbody tr`)]
            .map((row) => [...row.children].map((cell) => cell.innerText.trim()))"""
        return {row[0]: row[1:] for row in self.run(script, label)}

    def findings(self) -> list[tuple[str, str, str]]:
        """Return severity, place and code of each finding."""
        script = """return [...document.querySelectorAll("#findings .finding")].map((one) =>
            [one.className, one.querySelector(".where").innerText, one.querySelector(".code").innerText])"""
        return [(kind.partition("is-")[2], where, code) for kind, where, code in self.run(script)]

    def focused(self) -> str:
        script = """const here = document.activeElement;
            if (here === document.body) { return "body"; }
            const { key, column } = here.dataset;
            return here.id || key || column || here.getAttribute("aria-label") || here.innerText"""
        return str(self.run(script))


@pytest.fixture
def page(chromium: Any, server: PlayServer) -> Iterator[Page]:
    """The page as it is at first; afterwards the browser has nothing to complain of."""
    chromium.get(f"{server.url}favicon.svg")
    chromium.execute_script("localStorage.clear()")
    problems_of(chromium)  # of the page before
    page = Page(chromium, server.url)
    page.open()
    yield page
    assert problems_of(chromium) == []


def choose(page: Page, event_type: str) -> None:
    """Choose the notification by what one types into the list."""
    from selenium.webdriver.common.keys import Keys

    page.one("#filter").click()
    page.type(event_type)
    wait_for(page.browser, lambda: event_type in page.text("#examples [aria-selected=true]"), event_type)
    page.type(Keys.ENTER)
    wait_for(page.browser, lambda: event_type in page.text("#results .event-type"), event_type)
    page.settled()


def test_a_wrong_type_is_found_as_one_types_and_put_right(page: Page) -> None:
    """The finding has its line, mark and hint; its fix takes it away; undo brings it back."""
    from selenium.webdriver.common.keys import Keys

    before = page.findings()
    page.caret_after(page.definitions, "type: int")
    page.type("eger")
    page.settled()
    found = [one for one in page.findings() if one not in before]
    assert found == [("error", "volumes.yaml:4", "E104")]
    assert [number.text for number in page.all("#definitions .has-error")] == ["4"]
    assert page.text("#definitions .u-error") == "integer"
    assert "did you mean 'int'" in page.text("#here")
    assert page.text("#counts").startswith("1 error")
    page.one("#findings .finding.is-error .fix").click()
    page.settled()
    assert (page.value(page.definitions), page.findings()) == (DEFINITIONS, before)
    page.chord(Keys.CONTROL, "z")
    page.settled()
    assert "type: integer" in page.value(page.definitions)


def test_the_meaning_of_a_finding_is_shown(page: Page) -> None:
    """Its code leads to what the documentation says."""
    page.caret_after(page.definitions, "type: int")
    page.type("eger")
    page.settled()
    page.one("#findings .finding.is-error .code").click()
    dialog = page.one("#meaning[open]")
    assert "E104" in dialog.text
    assert "unknown trait type" in dialog.text.lower()


def test_hovering_shows_the_finding(page: Page) -> None:
    """What is underlined says why under the pointer."""
    from selenium.webdriver.common.action_chains import ActionChains

    page.caret_after(page.definitions, "type: int")
    page.type("eger")
    page.settled()
    # The underline is beneath the textarea, which is what the pointer meets.
    box = page.run("return document.querySelector('#definitions .u-error').getBoundingClientRect().toJSON()")
    actions = ActionChains(page.browser)
    actions.w3c_actions.pointer_action.move_to_location(int(box["x"] + 4), int(box["y"] + 8))
    actions.perform()
    hint = wait_for(page.browser, lambda: page.all("#hint:not([hidden])"), "the hint")[0]
    assert "unknown trait type 'integer'" in hint.text


def test_a_notification_of_the_corpus_gives_its_event(page: Page) -> None:
    """The event's traits are there with values, types and paths, samples with volumes; the other tab has the JSON."""
    choose(page, "volume.create.end")
    traits = page.rows("Traits")
    body = json.loads(page.value(page.notification))
    assert traits["size"][:2] == [str(body["payload"]["size"]), "int"]
    assert traits["size"][2] == "payload.size"
    assert traits["service"][2].split() == ["publisher_id", "default"]
    assert page.rows("Samples")["volume.size"][0] == f"{body['payload']['size']} GiB"
    assert "volume.* at volumes.yaml:1" in page.text("#results .facts")
    page.one("#tab-json").click()
    written = page.text("#results .json")
    event = json.loads(written[: written.index("\n}\n") + 2])
    assert (event["kind"], event["traits"]["size"]) == ("event", body["payload"]["size"])


def test_numbers_are_shown_as_they_are(page: Page) -> None:
    """Large integers and floats are not rounded on the way to the eye."""
    page.run(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        page.notification,
        '{"message_id": "m", "event_type": "volume.x", "timestamp": "2026-08-01",'
        ' "payload": {"volume_id": "v", "size": 12345678901234567890123}}',
    )
    page.settled()
    assert page.rows("Traits")["size"][0] == "12345678901234567890123"
    page.one("#tab-json").click()
    assert '"size": 12345678901234567890123\n' in page.text("#results .json")


def test_a_missing_trait_says_why_and_what_was_meant(page: Page) -> None:
    """The reason names the key; the path that was meant is put in with one click."""
    choose(page, "volume.create.end")
    (why,) = page.rows("Missing traits")["name"]
    assert "payload.display_nam payload has no key 'display_nam'" in why
    page.one('[data-key="why-name-use-0"]').click()
    page.settled()
    assert "name: payload.display_name\n" in page.value(page.definitions)
    assert page.rows("Traits")["name"][2] == "payload.display_name"
    assert "name" not in page.rows("Missing traits")


WRITTEN = {
    "payload.display_nam": "payload.display_name",
    '"payload.display_nam"': '"payload.display_name"',
    "&name 'payload.display_nam'": "&name 'payload.display_name'",
    "{fields: [payload.display_nam, payload.no]}": "{fields: [payload.display_name, payload.no]}",
    ">-\n      payload.display_nam": ">-\n      payload.display_nam",
}


@pytest.mark.parametrize(("before", "after"), WRITTEN.items(), ids=range(len(WRITTEN)))
def test_the_path_that_was_meant_is_written_as_the_other_was(page: Page, before: str, after: str) -> None:
    """Quotes, anchors and brackets stay; what is folded is only gone to."""
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    page.run(script, page.definitions, DEFINITIONS.replace("payload.display_nam", before))
    choose(page, "volume.create.end")
    page.one('[data-key="why-name-use-0"]').click()
    page.settled()
    assert page.value(page.definitions) == DEFINITIONS.replace("payload.display_nam", after)


def test_a_rejected_notification_says_so(page: Page) -> None:
    """Without a required trait there is no event, and the page says which."""
    choose(page, "volume.create.end")
    page.caret_after(page.definitions, "payload.volume_id")
    page.type("x")
    page.settled()
    assert "Rejected" in page.text("#results .banner.is-error")
    assert "resource_id" in page.text("#results .problems")


def test_definitions_that_are_overridden_are_listed(page: Page) -> None:
    """The one that would have applied stands below, and leads to its place."""
    choose(page, "volume.resize.end")
    assert "volume.resize.* at volumes.yaml:8" in page.text("#results .facts")
    assert "volume.* at volumes.yaml:1" in page.text("#results .others")
    page.one("#results .others .place").click()
    assert page.text("#here").startswith("1:")


def test_a_trait_leads_to_its_line_and_a_path_to_its_value(page: Page) -> None:
    """A click selects the name in the definitions, or marks the value in the notification."""
    choose(page, "volume.create.end")
    page.one("#add").click()  # so that the file is not in front
    page.settled()
    page.one('[data-key="trait-size"]').click()
    assert page.text("#tabs [aria-selected=true]") == "volumes.yaml"
    script = "const t = document.activeElement; return t.value.slice(t.selectionStart, t.selectionEnd)"
    assert page.run(script) == "size"
    page.one('[data-key="from-size-0"]').click()
    marked = wait_for(page.browser, lambda: page.all("#notification .is-spot"), "the value")
    assert [span.text for span in marked] == [page.rows("Traits")["size"][0]]
    line = page.run("return arguments[0].parentElement.innerText", marked[0])
    assert '"size":' in line


def test_json_that_is_broken_says_where(page: Page) -> None:
    """Line and column are named, lead there, and findings go on."""
    choose(page, "volume.create.end")
    page.caret_after(page.notification, '"payload": {')
    page.type("!")
    page.settled()
    assert "Not a notification" in page.text("#results")
    assert "line" in page.text("#decoding button")
    assert len(page.all("#notification .has-error")) == 1
    page.one("#decoding button").click()
    assert page.run("return document.activeElement === arguments[0]", page.notification)
    assert page.findings()


def test_saved_and_opened_again(page: Page, downloads: Path) -> None:
    """What is saved is one file; opened, by the page or the command, it is what was there."""
    choose(page, "volume.create.end")
    page.caret_after(page.definitions, "traits:")
    page.type(" # äöü 😀")
    page.settled()
    texts = (page.value(page.definitions), page.value(page.notification))
    page.one("#save").click()
    file = downloads / "volumes.eventdefs.json"
    wait_for(page.browser, file.exists, "the saved file")
    saved = read_saved(file)
    assert (saved.definitions[0].text, saved.notification) == texts
    assert [one.name for one in saved.definitions] == ["volumes.yaml", "meters.yaml"]
    page.open()
    assert page.value(page.definitions) == DEFINITIONS
    page.one("#chooser").send_keys(str(file))
    wait_for(page.browser, lambda: page.value(page.definitions) == texts[0], "the opened file")
    page.settled()
    assert page.value(page.notification) == texts[1]
    assert page.text("#results .event-type") == "volume.create.end"
    file.unlink()


def test_what_is_not_saved_is_not_lost_in_silence(page: Page, tmp_path: Path) -> None:
    """Opening asks first; what is no saved playground is refused with the reason."""
    page.caret_after(page.definitions, "traits:")
    page.type(" ")
    page.settled()
    page.one("#example").click()
    alert = wait_for(page.browser, lambda: _alert(page.browser), "the question")
    assert "not saved" in alert.text
    alert.dismiss()
    assert "volume.*" in page.value(page.definitions)
    other = tmp_path / "other.json"
    other.write_text('{"kind": "playground", "version": 2}')
    page.one("#chooser").send_keys(str(other))
    wait_for(page.browser, lambda: "is no saved playground" in page.text("#state"), "the refusal")
    other.write_text("{")
    page.one("#chooser").send_keys(str(other))
    wait_for(page.browser, lambda: "other.json is no JSON" in page.text("#state"), "the refusal")


def test_definitions_and_notifications_are_opened_too(page: Page, tmp_path: Path) -> None:
    """A YAML file stands beside the others, or in place of the one with its name; a notification replaces the other."""
    page.one("#chooser").send_keys(str(TOP / "samples" / "cinder" / "volume.create.end.json"))
    wait_for(page.browser, lambda: "volume.create.end" in page.text("#results .event-type"), "the notification")
    (tmp_path / "last.yaml").write_bytes(b"- event_type: volume.create.end\r\n  traits: {}\r\n")
    page.one("#chooser").send_keys(str(tmp_path / "last.yaml"))
    wait_for(page.browser, lambda: "at last.yaml:1" in page.text("#results .facts"), "the definitions")
    assert tabs(page) == ["volumes.yaml", "meters.yaml", "last.yaml"]
    (tmp_path / "last.yaml").write_text("- event_type: nothing\n  traits: {}\n")
    page.one("#chooser").send_keys(str(tmp_path / "last.yaml"))
    wait_for(page.browser, lambda: "at volumes.yaml:1" in page.text("#results .facts"), "what is left")
    assert tabs(page) == ["volumes.yaml", "meters.yaml", "last.yaml"]


def test_the_definition_that_applies_comes_into_view(page: Page) -> None:
    """Whoever chooses a notification sees its definition, whatever file and line it is on."""
    filler = "".join(f"# {number}\n" for number in range(300))
    page.run(
        "arguments[0].value += arguments[1] + '- event_type: volume.retype\\n  traits: {}\\n'", page.definitions, filler
    )
    page.run("arguments[0].dispatchEvent(new Event('input'))", page.definitions)
    page.settled()
    page.one("#tabs button:nth-child(2)").click()
    choose(page, "volume.retype")
    wait_for(page.browser, lambda: page.text("#tabs [aria-selected=true]") == "volumes.yaml", "the file")
    page.settled()
    assert "- event_type: volume.retype" in page.text("#definitions .editor:not([hidden]) .editor-view")


def _alert(browser: Any) -> Any:
    from selenium.common.exceptions import NoAlertPresentException

    try:
        return browser.switch_to.alert
    except NoAlertPresentException:
        return None


def test_exported_as_a_test(page: Page, downloads: Path) -> None:
    """The download is a test file of this notification."""
    choose(page, "volume.create.end")
    page.one("#export").click()
    file = downloads / "volume.create.end.test.yaml"
    wait_for(page.browser, file.exists, "the test file")
    assert 'definitions: ["volumes.yaml", "meters.yaml"]' in file.read_text()
    file.unlink()


def tabs(page: Page) -> list[str]:
    return [tab.text for tab in page.all("#tabs button")]


def test_files_are_added_renamed_and_removed(page: Page) -> None:
    """A file more counts at once; a name is there once."""
    from selenium.webdriver.common.keys import Keys

    choose(page, "volume.create.end")
    page.one("#add").click()
    page.type("- event_type: volume.*", Keys.ENTER, "traits: {}")
    page.settled()
    assert "at more.yaml:1" in page.text("#results .facts")
    page.type(Keys.F2)
    page.one("#file[open]")
    page.type("volumes.yaml", Keys.ENTER)
    assert "already" in page.text("#file-problem")
    page.run("document.getElementById('file-name').select()")
    page.type("last.yaml", Keys.ENTER)
    wait_for(page.browser, lambda: tabs(page) == ["volumes.yaml", "meters.yaml", "last.yaml"], "the new name")
    page.settled()
    assert "at last.yaml:1" in page.text("#results .facts")
    page.one("#rename").click()
    page.one("#file-remove").click()
    wait_for(page.browser, lambda: tabs(page) == ["volumes.yaml", "meters.yaml"], "the file to be gone")
    page.settled()
    assert "at volumes.yaml:1" in page.text("#results .facts")


# --- the editor -------------------------------------------------------------------------------------------------------


def test_indentation_and_leaving_the_editor(page: Page) -> None:
    """Tab indents, of a selection every line; Shift-Tab takes back; Escape lets Tab leave."""
    from selenium.webdriver.common.keys import Keys

    page.caret_after(page.definitions, "  traits:")
    page.type(Keys.ENTER)
    page.type("new: payload.new")
    assert "  traits:\n    new: payload.new\n" in page.value(page.definitions)
    page.run("const t = document.activeElement; t.setSelectionRange(0, t.value.indexOf('size'))")
    page.type(Keys.TAB)
    assert page.value(page.definitions).startswith("  - event_type: volume.*\n    traits:\n      new:")
    page.chord(Keys.SHIFT, Keys.TAB)
    assert page.value(page.definitions).startswith("- event_type: volume.*\n  traits:\n    new:")
    page.chord(Keys.CONTROL, "/")
    assert page.value(page.definitions).startswith("# - event_type: volume.*\n  # traits:\n    # new:")
    page.chord(Keys.CONTROL, "z")
    page.chord(Keys.CONTROL, "z")
    page.chord(Keys.CONTROL, "z")
    assert page.value(page.definitions).startswith("- event_type: volume.*\n  traits:\n    new:")
    page.type(Keys.ESCAPE, Keys.TAB)
    assert page.run("return document.activeElement !== arguments[0]", page.definitions)


def test_input_methods_compose_undisturbed(page: Page) -> None:
    """Text under composition is drawn, and arrives once."""
    page.caret_after(page.definitions, "traits:")
    page.type(" # ")
    compose = {"text": "にほん", "selectionStart": 3, "selectionEnd": 3}
    page.browser.execute_cdp_cmd("Input.imeSetComposition", compose)
    page.settled()
    assert "にほん" in page.text("#definitions .editor-view")
    page.browser.execute_cdp_cmd("Input.insertText", {"text": "日本"})
    page.settled()
    assert page.value(page.definitions).startswith("- event_type: volume.*\n  traits: # 日本\n")


DRAWN = """\
const [textarea, view] = [arguments[0], arguments[0].previousElementSibling];
const lines = [...view.children];
const style = getComputedStyle(textarea);
return {
  width: Math.max(...lines.map((line) => {
    const range = document.createRange(); range.selectNodeContents(line); return range.getBoundingClientRect().width;
  })),
  room: textarea.scrollWidth - parseFloat(style.paddingLeft),
  left: lines[0].getBoundingClientRect().left - textarea.getBoundingClientRect().left + textarea.scrollLeft,
  tops: lines.map((line) => [line.innerText, line.getBoundingClientRect().top - textarea.getBoundingClientRect().top]),
  numbers: [...textarea.closest(".editor").querySelectorAll(".editor-number")].map((number) =>
    [number.innerText, number.getBoundingClientRect().top - textarea.getBoundingClientRect().top]),
  scrolled: textarea.scrollTop,
}"""


def test_what_is_drawn_lies_under_what_is_typed(page: Page) -> None:
    """Colours, underlines and numbers stand where the text does, also of wide characters and when scrolled."""
    long = 'wide: "日本語 😀 a\\tb" # ' + "x" * 300
    text = "\n".join([*(f"line{number}: {{a: [1, 'two', \"three\"]}}" for number in range(1, 400)), long, "last: 1"])
    page.run(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", page.definitions, text
    )
    page.settled()
    page.run("arguments[0].scrollTop = 1e6; arguments[0].scrollLeft = 300", page.definitions)
    page.settled()
    drawn = page.run(DRAWN, page.definitions)
    assert drawn["width"] == pytest.approx(drawn["room"], abs=1.5)
    assert drawn["left"] == pytest.approx(10, abs=0.6)
    tops = {line.partition(":")[0]: top for line, top in drawn["tops"] if line}
    assert tops["last"] == pytest.approx(400 * 20 + 8 - drawn["scrolled"], abs=0.6)
    assert dict(drawn["numbers"])["401"] == pytest.approx(tops["last"], abs=0.6)
    assert "line1" not in tops


def test_a_large_notification_is_typed_into_without_delay(page: Page) -> None:
    """Of a megabyte only what is seen is drawn."""
    items = ",\n".join(f'    "key{number}": "{"x" * 60}"' for number in range(14_000))
    text = (
        '{"message_id": "m", "event_type": "volume.x", "timestamp": "2026-08-01",\n'
        '  "payload": {\n    "volume_id": "v",\n'
        f"{items}\n  }}\n}}"
    )
    page.run(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", page.notification, text
    )
    page.settled()
    assert page.rows("Traits")["resource_id"][0] == "v"
    assert len(page.all("#notification .editor-line")) < 120
    script = """const t = arguments[0]; t.focus(); t.setSelectionRange(3, 3); const began = performance.now();
        document.execCommand("insertText", false, " "); t.scrollTop; return performance.now() - began"""
    assert page.run(script, page.notification) < 1000
    page.settled()


# --- keys, colours, widths --------------------------------------------------------------------------------------------


def test_everything_is_reached_by_keys(page: Page) -> None:
    """Tab comes to every control, with a visible focus, and past the editors."""
    from selenium.webdriver.common.keys import Keys

    choose(page, "volume.create.end")
    met: list[str] = []
    for _ in range(200):
        here = page.focused()
        if met and here == met[0]:
            break
        met.append(here)
        visible = page.run(
            """const style = getComputedStyle(document.activeElement);
            return document.activeElement === document.body || document.activeElement.matches(":focus-visible") &&
                (style.outlineStyle !== "none" || style.backgroundColor !== "rgba(0, 0, 0, 0)")"""
        )
        assert visible, f"the focus on {here} cannot be seen"
        if page.run("return document.activeElement.tagName === 'TEXTAREA'"):
            page.type(Keys.ESCAPE)
        page.type(Keys.TAB)
    wanted = {
        "open",
        "save",
        "export",
        "example",
        "theme",
        "help",
        "add",
        "rename",
        "previous",
        "next",
        "filter",
        "format",
    }
    assert wanted <= set(met)
    assert {"0", "1", "results", "tab-explained", "trait-size", "from-size-0", "why-name-use-0"} <= set(met)
    assert {"Definitions, volumes.yaml", "Notification, JSON"} <= set(met)


def test_a_minute_with_the_keyboard(page: Page) -> None:
    """Choose, break, find, put right, look at the result and the help: without a pointer."""
    from selenium.webdriver.common.keys import Keys

    page.chord(Keys.ALT, "o")
    page.type("create.end", Keys.ENTER)
    wait_for(page.browser, lambda: page.text("#results .event-type").endswith("create.end"), "the event")
    page.settled()
    page.chord(Keys.ALT, "1")
    assert page.focused() == "Definitions, volumes.yaml"
    page.caret_after(page.definitions, "type: int")
    page.type("eger", Keys.ARROW_UP, Keys.ARROW_UP)
    page.settled()
    page.type(Keys.F8)
    selected = "const t = document.activeElement; return t.value.slice(t.selectionStart, t.selectionEnd)"
    assert page.run(selected) == "integer"
    page.chord(Keys.CONTROL, ".")
    page.settled()
    assert page.value(page.definitions) == DEFINITIONS
    wait_for(page.browser, lambda: page.run("return document.getElementById('announcer').textContent"), "what is said")
    page.chord(Keys.ALT, "3")
    assert page.focused() == "results"
    page.type("?")
    assert "Keyboard" in page.text("#shortcuts[open]")
    page.type(Keys.ESCAPE)
    assert page.all("#shortcuts[open]") == []
    page.chord(Keys.ALT, "2")
    assert page.focused() == "Notification, JSON"


CONTRAST = """\
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((part) => part / 255).map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const parts = (colour) => {
  const found = /rgba?\\(([\\d.]+), ([\\d.]+), ([\\d.]+)(?:, ([\\d.]+))?\\)/.exec(colour);
  return found ? found.slice(1).map((part) => (part === undefined ? 1 : Number(part))) : null;
};
const ground = (element) => {
  for (let here = element; here; here = here.parentElement) {
    const found = parts(getComputedStyle(here).backgroundColor);
    if (found && found[3] === 1) { return found; }
  }
  return [255, 255, 255, 1];
};
const low = [];
let seen = 0;
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  const style = getComputedStyle(element);
  if (!own || !element.checkVisibility() || element.disabled || element.tagName === "TEXTAREA" ||
      element.closest("dialog:not([open])")) { continue; }
  const [one, other] = [luminance(parts(style.color)), luminance(ground(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  seen += 1;
  if (ratio < 4.5) {
    low.push(`${element.tagName}.${element.className} ${element.textContent.slice(0, 20)}: ${ratio.toFixed(2)}`);
  }
}
return [seen, [...new Set(low)]];"""


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_text_can_be_read(page: Page, colours: str) -> None:
    """All text has the contrast that WCAG AA asks for, in both sets of colours, findings and marks included."""
    page.open(colours=colours)
    choose(page, "volume.create.end")
    page.caret_after(page.definitions, "type: int")
    page.type("eger")
    page.settled()
    page.one('[data-key="from-resource_id-0"]').click()
    page.settled()
    seen, low = page.run(CONTRAST)
    assert low == []
    assert seen > 150


def test_colours_follow_the_system_or_the_choice(page: Page) -> None:
    """Without a choice the system's preference counts, at once; a choice is kept."""
    background = "return getComputedStyle(document.body).backgroundColor"
    light = page.run(background)
    page.prefer("dark")
    dark = page.run(background)
    assert dark != light
    for expected in ("light", "dark"):
        page.one("#theme").click()
        assert page.run("return document.documentElement.dataset.theme") == expected
        assert page.run(background) == {"light": light, "dark": dark}[expected]
    page.prefer("light")
    page.open()
    assert page.run(background) == dark
    assert "dark" in page.one("#theme").get_attribute("aria-label")
    page.one("#theme").click()
    assert page.run(background) == light


@pytest.mark.parametrize(("width", "columns"), [(1440, 3), (1280, 3), (800, 1), (360, 1)])
def test_the_layout_fits(page: Page, width: int, columns: int) -> None:
    """Three columns beside each other where there is room, else one below the other; nothing sticks out."""
    page.open(width=width)
    choose(page, "volume.create.end")
    lefts = page.run(
        "return [...document.querySelectorAll('.pane')].map((pane) => Math.round(pane.getBoundingClientRect().left))"
    )
    assert len(set(lefts)) == columns
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_columns_are_made_wider_by_keys(page: Page) -> None:
    """A divider moves with the arrows and says where it is."""
    from selenium.webdriver.common.keys import Keys

    width = "return document.querySelector('.pane-definitions').getBoundingClientRect().width"
    before = page.run(width)
    divider = page.one(".divider[data-column='0']")
    now = int(divider.get_attribute("aria-valuenow"))
    divider.send_keys(Keys.ARROW_RIGHT)
    assert page.run(width) > before
    assert int(divider.get_attribute("aria-valuenow")) == now + 2


def test_controls_have_names_and_ids_are_there_once(page: Page) -> None:
    """Each control says what it is to who cannot see it; what refers to another element refers to one."""
    choose(page, "volume.create.end")
    script = """
        const named = (one) => one.getAttribute("aria-label") || one.innerText.trim() || one.labels?.[0]?.innerText ||
            document.getElementById(one.getAttribute("aria-labelledby"))?.innerText;
        const shown = [...document.querySelectorAll("button, input:not([type=file]), textarea, [role]")]
            .filter((one) => one.checkVisibility() && !["status", "presentation"].includes(one.role));
        const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
        const referred = ["aria-controls", "aria-labelledby", "aria-describedby", "for"].flatMap((name) =>
            [...document.querySelectorAll(`[${name}]`)].map((one) => one.getAttribute(name)));
        return [shown.filter((one) => !named(one)).map((one) => one.outerHTML.slice(0, 80)),
            ids.filter((id, number) => ids.indexOf(id) !== number), referred.filter((id) => !ids.includes(id))]"""
    assert page.run(script) == [[], [], []]


# --- the server behind it ---------------------------------------------------------------------------------------------


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    """Every request of the page goes to its own server."""
    choose(page, "volume.create.end")
    names = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert len(names) > 5
    assert [name for name in names if not name.startswith((page.url, f"blob:{page.url}"))] == []


def test_an_answer_that_never_comes_holds_up_no_later_one(page: Page) -> None:
    """A question that is not answered is given up for the next; the page goes on being typed into."""
    page.run(
        """const real = window.fetch; window.held = 0;
        window.fetch = (path, options) => path !== "api/evaluate" || window.held ? real(path, options)
            : new Promise((resolve, reject) => { window.held = 1;
                options.signal.addEventListener("abort", () => {
                    window.held = 2; reject(options.signal.reason); }); });"""
    )
    page.caret_after(page.definitions, "type: int")
    page.type("e")
    wait_for(page.browser, lambda: page.run("return window.held === 1"), "the question that is held")
    page.type("ger")
    page.settled()
    assert page.run("return window.held") == 2
    assert page.text("#definitions .u-error") == "integer"


def test_a_server_that_is_gone_is_said(chromium: Any) -> None:
    """The texts stay, and the page says what is wrong."""
    server = PlayServer(begin([], []))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    page = Page(chromium, server.url)
    page.open()
    server.shutdown()
    thread.join()
    server.server_close()
    page.run("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    page.caret_after(page.definitions, "traits:")
    page.type(" ")
    wait_for(chromium, lambda: "Is eventdefs play still running?" in page.text("#state"), "what is wrong")
    problems_of(chromium)
