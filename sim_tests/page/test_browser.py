"""The page in Chromium: no error, nothing wider than the window, dark and light, and what is picked is shown."""

import pytest

from ff2loihi import api
from ff2loihi.compilers import pipeline
from ff2loihi.data.datasets import load_data
from ff2loihi.page.page import page
from sim_tests.page.browser import Browser, found

VISIBLE = """[...document.querySelectorAll('[data-sample]')].filter((one) => one.offsetParent).map(
    (one) => [one.dataset.sample, one.dataset.label || '', one.dataset.neuron || ''].join('/'))"""
PICK = """(() => {{ const one = document.querySelector('select[data-pick="{}"]'); one.value = '{}';
    one.dispatchEvent(new Event('change')); }})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = found()
    if program is None:
        pytest.skip("no chromium here: install Debian's package chromium")
    tab = Browser(program, tmp_path_factory.mktemp("browser"))
    yield tab
    tab.close()


@pytest.fixture(scope="module")
def report(networks, tmp_path_factory):
    sources = {"m.pt": pipeline.load_checkpoint(networks["m.pt"])}
    names = ("graded", "soft", "conv", "head", "library", "learned")
    sources |= {f"a-name-of-many-words-{name}.ffl": api.load(networks[f"{name}.ffl"]) for name in names}
    path = tmp_path_factory.mktemp("report") / "r.html"
    path.write_text(page(sources, load_data("digits", "test", limit=30)).html, encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_opens_without_an_error_and_fits_the_window(browser, report, width, scheme):
    browser.open(report, width, scheme)
    assert browser.told == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("innerWidth") == width
    assert browser.value("document.querySelectorAll('svg').length") > 50
    kept = "document.querySelector('#learning figure svg').getBoundingClientRect()"
    assert 200 < browser.value(f"{kept}.width") <= width
    assert browser.value(f"{kept}.height") > 200
    paper = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is (scheme == "light")
    small = browser.value("""Math.min(...[...document.querySelectorAll('svg.figure')].filter((one) => one.offsetParent
        || one.getBoundingClientRect().width).map((one) => one.getBoundingClientRect().width))""")
    assert small > 150


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", ["digits", "yin-yang"])
def test_a_page_of_events_opens_without_an_error(browser, event_pages, tmp_path, name, width):
    path = tmp_path / "r.html"
    path.write_text(event_pages[name][0].html, encoding="utf-8")
    browser.open(path, width, "light")
    assert browser.told == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    rasters = """[...document.querySelectorAll('figure.inputs svg')].filter(
        (one) => one.getBoundingClientRect().width > 200)"""
    assert browser.value(f"{rasters}.length") == 1
    first = browser.value(f"{rasters}[0].outerHTML")
    browser.value(PICK.format("sample", "2"))
    assert browser.value(f"{rasters}.length") == 1
    assert browser.value(f"{rasters}[0].outerHTML") != first
    assert browser.told == []


def test_what_is_picked_is_shown(browser, report):
    browser.open(report, 1280, "light")
    assert set(browser.value(VISIBLE)) == {"0//", "0/true/", "0/true/0"}
    browser.value(PICK.format("sample", "2"))
    browser.value(PICK.format("label", "wrong"))
    assert set(browser.value(VISIBLE)) == {"2//", "2/wrong/", "2/wrong/0"}
    before = browser.value(VISIBLE)
    browser.value(PICK.format("neuron", "1"))  # of one model alone
    after = browser.value(VISIBLE)
    assert len(after) == len(before)
    assert after.count("2/wrong/1") == 1
    assert browser.told == []


def test_a_script_of_somebody_else_does_not_run(browser, report, tmp_path):
    foreign = tmp_path / "f.html"
    text = report.read_text(encoding="utf-8")
    foreign.write_text(text.replace("<h1>", "<script>document.title = 'ran'</script><h1>"), encoding="utf-8")
    browser.open(foreign, 400, "light")
    assert browser.value("document.title").startswith("ff2loihi report")
    assert browser.told
    browser.told.clear()
