"""A person at a hub, in Chromium: signs in, starts a server, types into a notebook
and reads what it says, stops the server. Keeps a picture of what they saw.

    person.py https://hub.example NAME PASSWORD SCENE --shots FOLDER

SCENE is `work`, `stop`, `open`, `admin` or `forbidden`. What is printed is what
the person read. Certificates of hubs in tests are their own; they are not held
against them.
"""

import argparse
import os
import re
import sys
import time
from urllib.parse import quote

from playwright.sync_api import Error, TimeoutError, expect, sync_playwright

#: The browser that setup.sh found, or installed; it says so in this environment.
BROWSER = os.path.join(sys.prefix, "browser")
#: What keeps it from asking the internet anything, and works in a container.
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
#: Milliseconds: a page, and a server's start on a busy machine.
PAGE = 60_000
START = 180_000
WINDOW = {"width": 1280, "height": 800}

#: What is typed into a notebook: a line each, so that no editor indents it.
CELL = [
    "import math, os",
    "from glob import glob",
    "from IPython.display import SVG",
    'me = os.environ["JUPYTERHUB_USER"]',
    'open(f"{me}.txt", "w").write("kept")',
    'wave = " ".join(f"{x},{60 - 50 * math.sin(x / 25)}" for x in range(600))',
    "line = f'<polyline points=\"{wave}\" fill=\"none\" stroke=\"#f37726\" stroke-width=\"3\"/>'",
    "size = 'xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"120\"'",
    'print(me, "has", sorted(glob("*")))',
    'SVG(f"<svg {size}>{line}</svg>")',
]


class Person:
    """One person's browser window."""

    def __init__(self, page, given):
        self.page, self.shots = page, given.shots
        self.hub, self.name, self.password = given.hub.rstrip("/"), given.name, given.password

    def keep(self, what):
        """A picture of the window."""
        os.makedirs(self.shots, exist_ok=True)
        self.page.screenshot(path=os.path.join(self.shots, f"{what}.png"))

    def sign_in(self, then):
        self.page.goto(f"{self.hub}/hub/login?next={quote(then)}")
        self.page.fill("#username_input", self.name)
        self.page.fill("#password_input", self.password)
        self.keep("sign-in")
        self.page.click("#login_submit")
        self.page.wait_for_url(lambda url: "/hub/login" not in url)
        # Buttons do nothing until the page's scripts are there.
        self.page.wait_for_load_state("networkidle")

    def start(self):
        """From the home page to JupyterLab."""
        self.sign_in("/hub/home")
        self.page.click("#start")
        self.page.wait_for_url(f"**/user/{quote(self.name)}/**", timeout=START)
        self.ready()

    def watch_start(self):
        """The same, with an eye on what is said meanwhile."""
        self.sign_in("/hub/home")
        self.page.click("#start")
        self.page.wait_for_url("**/spawn-pending/**", wait_until="commit")
        # What is said by and by is listed below what is said now.
        self.page.click("summary")
        # States that are short may be passed over.
        said = re.compile("Asking the swarm for a place.*(worker|server)", re.DOTALL)
        expect(self.page.locator("#progress-log")).to_have_text(said)
        self.keep("starting")
        self.page.wait_for_url(f"**/user/{quote(self.name)}/**", timeout=START)
        self.ready()

    def ready(self):
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=START)
        self.page.locator(".jp-FileBrowser").wait_for(timeout=START)
        self.quiet()

    def quiet(self):
        """Turns down what JupyterLab asks everybody at first."""
        ask = self.page.get_by_role("button", name="No", exact=True)
        try:
            ask.click(timeout=3_000)
        except TimeoutError:
            pass

    def work(self):
        """A new notebook with a cell that runs; what it prints."""
        self.watch_start()
        self.page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
        self.page.locator(".jp-Notebook .cm-content").first.click()
        for number, line in enumerate(CELL):
            if number:
                self.page.keyboard.press("Enter")
            self.page.keyboard.type(line, delay=3)
        self.page.keyboard.press("Control+Enter")
        said = self.page.locator(".jp-OutputArea-output pre").first
        expect(said).to_contain_text("has [", timeout=START)
        expect(self.page.locator(".jp-OutputArea-output img, .jp-OutputArea-output svg").first).to_be_visible()
        self.page.keyboard.press("Control+s")
        self.rename()
        self.files()
        self.keep(f"notebook-{self.name}")
        return said.inner_text()

    def rename(self):
        """The first save asks for the notebook's name."""
        dialog = self.page.locator(".jp-Dialog")
        try:
            dialog.get_by_role("button", name="Rename").click(timeout=5_000)
        except TimeoutError:
            pass
        expect(dialog).to_have_count(0)

    def files(self):
        """The names in the file browser, which looks every ten seconds, once what was
        written is among them."""
        shown = self.page.locator(".jp-DirListing-itemText")
        expect(shown.filter(has_text=f"{self.name}.txt")).to_have_count(1)
        return [one.strip() for one in shown.all_inner_texts()]

    def stop(self):
        """From the hub's page."""
        self.sign_in("/hub/home")
        self.page.click("#stop")
        expect(self.page.locator("#start")).to_have_text("Start My Server", timeout=PAGE)
        expect(self.page.locator("#stop")).to_be_hidden(timeout=PAGE)
        return "stopped"

    def open(self):
        """Starts the server again; the files that are there."""
        self.start()
        names = self.files()
        self.keep(f"again-{self.name}")
        return "\n".join(names)

    def admin(self):
        """The administrators' page; the users on it."""
        self.sign_in("/hub/admin")
        rows = self.page.locator("tr.user-row")
        expect(rows.first).to_be_visible(timeout=PAGE)
        self.keep("admin")
        return "\n".join(rows.all_inner_texts())

    def forbidden(self):
        """What another's server says, and the administrators' page."""
        self.sign_in("/hub/home")
        codes = []
        for path in ["/user/ada/lab", "/hub/admin"]:
            codes.append(str(self.page.goto(self.hub + path).status))
            self.keep(f"forbidden-{len(codes)}")
        return " ".join(codes)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("hub")
    arguments.add_argument("name")
    arguments.add_argument("password")
    arguments.add_argument("scene", choices=["work", "stop", "open", "admin", "forbidden"])
    arguments.add_argument("--shots", required=True)
    given = arguments.parse_args()
    # Chromium's own walls need rights that root in a container may lack.
    walls = ["--no-sandbox"] if os.geteuid() == 0 else []
    began = time.monotonic()
    with open(BROWSER, encoding="utf-8") as file:
        chromium = file.read().strip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS + walls)
        page = browser.new_context(ignore_https_errors=True, viewport=WINDOW).new_page()
        page.set_default_timeout(PAGE)
        expect.set_options(timeout=PAGE)
        person = Person(page, given)
        try:
            print(getattr(person, given.scene)())
        except (Error, AssertionError):
            person.keep(f"failed-{given.scene}-{given.name}")
            print(f"at {page.url}", file=sys.stderr)
            raise
        finally:
            browser.close()
    print(f"{time.monotonic() - began:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
