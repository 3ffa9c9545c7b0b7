"""A user of a hub, without a browser: signs in, starts and stops the server,
runs cells in a kernel, as the pages of JupyterHub and JupyterLab do.

    visit.py https://hub.example NAME PASSWORD run 'print(1)'

`verify=False` throughout: hubs in tests have certificates of their own.
"""

import argparse
import asyncio
import json
import re
import ssl
import time
import uuid
from urllib.parse import quote, urlparse

import requests
import urllib3
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

urllib3.disable_warnings()

#: Seconds for a page, and for a cell.
PAGE = 30
CELL = 60


class Visit:
    """One user's session in a browser."""

    def __init__(self, hub, name, page=PAGE, cell=CELL):
        self.page, self.cell = page, cell
        self.hub = hub.rstrip("/")
        self.name = name
        self.web = requests.Session()
        self.web.verify = False
        # Or a bundle that the environment names is held against it all the same.
        self.web.trust_env = False

    def _xsrf(self, path):
        """Cookies are sent for their path alone; the token goes with them."""
        url = requests.Request("GET", self.hub + path, cookies=self.web.cookies)
        header = self.web.prepare_request(url).headers.get("Cookie", "")
        found = re.search(r"_xsrf=([^;]+)", header)
        return {"X-XSRFToken": found.group(1).strip('"')} if found else {}

    def ask(self, method, path, **kwargs):
        """A request of a page; answers what came."""
        headers = {**self._xsrf(path), **kwargs.pop("headers", {})}
        kwargs.setdefault("timeout", self.page)
        return self.web.request(method, self.hub + path, headers=headers, **kwargs)

    def sign_in(self, password):
        """True when the hub lets the user in."""
        self.ask("GET", "/hub/login")
        form = {"username": self.name, "password": password}
        form["_xsrf"] = self._xsrf("/hub/login").get("X-XSRFToken", "")
        answer = self.ask("POST", "/hub/login?next=/hub/home", data=form)
        return answer.status_code == 200 and urlparse(answer.url).path == "/hub/home"

    def sign_up(self, password):
        self.ask("GET", "/hub/signup")
        form = {"username": self.name, "signup_password": password}
        form["signup_password_confirmation"] = password
        form["_xsrf"] = self._xsrf("/hub/signup").get("X-XSRFToken", "")
        return self.ask("POST", "/hub/signup", data=form)

    def user(self):
        """What the hub says of the user."""
        self.ask("GET", "/hub/home")
        return self.ask("GET", f"/hub/api/users/{quote(self.name)}").json()

    def start(self, within=120):
        """Starts the server and waits until it answers; the messages shown."""
        self.ask("GET", "/hub/home")
        answer = self.ask("POST", f"/hub/api/users/{quote(self.name)}/server", timeout=within)
        if answer.status_code not in (201, 202):
            raise RuntimeError(f"{answer.status_code}: {answer.text}")
        messages = []
        path = f"/hub/api/users/{quote(self.name)}/server/progress"
        with self.ask("GET", path, stream=True, timeout=within) as events:
            for line in events.iter_lines():
                if line.startswith(b"data:"):
                    event = json.loads(line[5:])
                    messages.append(event["message"])
                    if event.get("failed"):
                        raise RuntimeError(event["message"])
                    if event.get("ready"):
                        # Signs in to the server itself.
                        self.ask("GET", f"/user/{quote(self.name)}/lab", timeout=within)
                        return messages
        raise RuntimeError(f"no end: {messages}")

    def stop(self, within=60):
        self.ask("GET", "/hub/home")
        self.ask("DELETE", f"/hub/api/users/{quote(self.name)}/server", timeout=within)
        end = time.monotonic() + within
        while self.user().get("servers"):
            if time.monotonic() > end:
                raise RuntimeError("the server does not stop")
            time.sleep(0.2)

    def kernel(self):
        """A new kernel's id."""
        base = f"/user/{quote(self.name)}"
        self.ask("GET", f"{base}/lab")
        answer = self.ask("POST", f"{base}/api/kernels", json={})
        answer.raise_for_status()
        return answer.json()["id"]

    def run(self, code, kernel=None):
        """What a cell prints, or its result."""
        base = f"/user/{quote(self.name)}"
        if kernel:
            # Signs in to the server, as a page of its own would have.
            self.ask("GET", f"{base}/lab")
            return asyncio.run(asyncio.wait_for(self._run(code, kernel), self.cell))
        kernel = self.kernel()
        said = asyncio.run(asyncio.wait_for(self._run(code, kernel), self.cell))
        # A kernel for each cell would fill the server's memory.
        self.ask("DELETE", f"{base}/api/kernels/{kernel}").raise_for_status()
        return said

    async def _run(self, code, kernel):
        path = f"/user/{quote(self.name)}/api/kernels/{kernel}/channels"
        url = requests.Request("GET", self.hub + path)
        cookies = self.web.prepare_request(url).headers.get("Cookie", "")
        address = self.hub.replace("http", "ws", 1) + path
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host = urlparse(self.hub)
        request = HTTPRequest(
            address,
            headers={"Cookie": cookies, "Origin": f"{host.scheme}://{host.netloc}"},
            ssl_options=context if address.startswith("wss") else None,
        )
        socket = await websocket_connect(request)
        sent = uuid.uuid4().hex
        header = {"msg_id": sent, "msg_type": "execute_request", "version": "5.3"}
        header.update(username=self.name, session=uuid.uuid4().hex, date="")
        content = {"code": code, "silent": False, "store_history": True}
        content.update(user_expressions={}, allow_stdin=False, stop_on_error=True)
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        await socket.write_message(json.dumps({**message, "channel": "shell", "buffers": []}))
        said = ""
        while True:
            text = await socket.read_message()
            if text is None:
                raise RuntimeError(f"the kernel's connection ended after: {said}")
            answer = json.loads(text)
            if answer["parent_header"].get("msg_id") != sent:
                continue
            kind, content = answer["msg_type"], answer["content"]
            if kind == "stream":
                said += content["text"]
            elif kind in ("execute_result", "display_data"):
                said += content["data"].get("text/plain", "")
            elif kind == "error":
                raise RuntimeError(f"{content['ename']}: {content['evalue']}")
            elif kind == "status" and content["execution_state"] == "idle":
                socket.close()
                return said


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("hub")
    arguments.add_argument("name")
    arguments.add_argument("password")
    verbs = ["sign-in", "start", "stop", "kernel", "run", "user", "page"]
    arguments.add_argument("verb", choices=verbs)
    arguments.add_argument("code", nargs="?", default="1 + 1", help="or a page's path")
    arguments.add_argument("--kernel", help="the kernel that runs the code, else a new one")
    arguments.add_argument("--patience", type=float, help="seconds for a page")
    given = arguments.parse_args()
    patience = {"page": given.patience} if given.patience else {}
    visit = Visit(given.hub, given.name, **patience)
    if given.verb == "page":
        answer = visit.ask("GET", given.code)
        answer.raise_for_status()
        print(json.dumps({"headers": dict(answer.headers), "text": answer.text}))
        return
    if not visit.sign_in(given.password):
        raise SystemExit("not let in")
    if given.verb == "start":
        print("\n".join(visit.start()))
    elif given.verb == "stop":
        visit.stop()
    elif given.verb == "kernel":
        print(visit.kernel())
    elif given.verb == "run":
        print(visit.run(given.code, given.kernel))
    elif given.verb == "user":
        print(json.dumps(visit.user()))


if __name__ == "__main__":
    main()
