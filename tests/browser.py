"""A real browser for the tests of pages: Chromium without a window, driven as a person would use it.

Where Chromium, its driver or Selenium is not installed the tests are skipped and say so; where
EVENTDEFS_REQUIRE_SERVERS is set, as in CI, they fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import find, unavailable

WAIT = 30.0
"""Seconds after which what a test waits for does not come."""


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser saves files."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def chromium(downloads: Path) -> Iterator[Any]:
    """A driver of Chromium; the browser ends with the session."""
    program = find("chromium", "/usr/bin") or find("google-chrome", "/usr/bin")
    driver = find("chromedriver", "/usr/bin")
    if program is None or driver is None:
        unavailable("Chromium is not installed (Debian: apt-get install chromium chromium-driver)")
    try:
        from selenium import webdriver
    except ImportError:
        unavailable("Selenium is not installed (pip install selenium)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # which root cannot have
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def wait_for(browser: Any, what: Callable[[], Any], said: str) -> Any:
    """Return what *what* gives as soon as that is true of something; fail where it never is."""
    from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
    from selenium.webdriver.support.ui import WebDriverWait

    waiting = WebDriverWait(browser, WAIT, 0.02, [StaleElementReferenceException])
    try:
        return waiting.until(lambda _: what())
    except TimeoutException:
        pytest.fail(f"{said}: it never came")


def problems_of(browser: Any) -> list[str]:
    """Return what the browser complains of: scripts that fail, files that are not there, policies that are broken."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
