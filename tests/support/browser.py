"""A headless Chromium driven by Playwright, which records every problem and request of a page."""

import contextlib
import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, sync_playwright

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium is installed: `apt-get install chromium`, or `.venv/bin/playwright install chromium`"
PATIENCE = 60_000  # milliseconds, for a busy machine


@functools.cache
def find_browser() -> str | None:
    """Return the path of an installed Chromium or Chrome, or of Playwright's own, or None."""
    found = next(filter(None, map(shutil.which, INSTALLED)), None)
    if found:
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser with a new profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser())
        try:
            yield browser
        finally:
            browser.close()


class Shown:
    """A page in its own window.

    Attributes:
        page: Playwright's page.
        problems: console errors and warnings, exceptions, and violations of the content security policy since `go`.
        requests: addresses that the page requested since then.
    """

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(**options)
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._record)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def go(self, address: str) -> None:
        """Show an address."""
        self.problems.clear()
        self.requests.clear()
        self.page.goto(address)

    def _record(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.problems.append(message.text)


@contextlib.contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Shown]:
    """Show an address in a new window, with Playwright's options of `new_page`."""
    shown = Shown(browser, **options)
    try:
        shown.go(address)
        yield shown
    finally:
        shown.page.close()
