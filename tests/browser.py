"""Headless Chromium for tests, driven over a pipe: its DevTools protocol needs no package.

Where the environment variable TFCOURSE_BROWSER is "required", a test fails without Chromium.
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"),
    *("--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--remote-debugging-pipe",
]


@contextmanager
def browser(folder):
    """A new Chromium with its profile in a folder; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = "Chromium is not installed"
        if os.environ.get("TFCOURSE_BROWSER") == "required":
            pytest.fail(f"{reason}, and TFCOURSE_BROWSER demands it")
        pytest.skip(reason)
    command_read, command_write = os.pipe()
    answer_read, answer_write = os.pipe()
    # Chromium reads commands from descriptor 3 and answers on 4.
    script = f'exec "$0" "$@" 3<&{command_read} 4>&{answer_write}'
    process = subprocess.Popen(
        ["bash", "-c", script, program, *FLAGS, f"--user-data-dir={folder}"],
        pass_fds=(command_read, answer_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(command_read)
    os.close(answer_write)
    with os.fdopen(command_write, "wb") as commands, os.fdopen(answer_read, "rb") as answers:
        try:
            yield Connection(commands, answers)
        finally:
            process.kill()
            process.wait()


class Connection:
    """Commands to a Chromium, and the events that it reports."""

    def __init__(self, commands, answers):
        self.commands, self.answers = commands, answers
        self.numbers = itertools.count(1)
        self.events = []
        self.rest = b""

    def send(self, method, session=None, **params):
        """The result of a command."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        message |= {} if session is None else {"sessionId": session}
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _receive(self):
        while b"\0" not in self.rest:
            part = self.answers.read1(1 << 16)
            assert part, "Chromium has ended"
            self.rest += part
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def open(self, path, width, height=900):
        """The page of a file, once its figures are drawn."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        page.send("Emulation.setDeviceMetricsOverride", **size)
        page.send("Page.navigate", url=path.as_uri())
        page.wait_for('document.body?.dataset.drawn === "true"')
        return page


class Page:
    """A page in a Chromium."""

    def __init__(self, connection, session):
        self.connection, self.session = connection, session

    def send(self, method, **params):
        return self.connection.send(method, self.session, **params)

    def evaluate(self, expression):
        """The value of an expression in JavaScript, after its promise if it is one."""
        result = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, expression):
        """Wait until an expression is true."""
        for _ in range(600):
            if self.evaluate(f"Boolean({expression})"):
                return
            self.evaluate("new Promise((resolve) => setTimeout(resolve, 100))")
        raise AssertionError(f"{expression} did not become true")

    def mouse(self, kind, x, y):
        """Move the pointer, or press or release its button: mouseMoved, mousePressed, ..."""
        button = "none" if kind == "mouseMoved" else "left"
        pressed = int(kind != "mouseReleased" and button == "left")
        params = {"type": kind, "x": x, "y": y, "button": button, "clickCount": 1}
        self.send("Input.dispatchMouseEvent", buttons=pressed, **params)

    def drag(self, start, end):
        """Drag from one point to another in steps."""
        self.mouse("mouseMoved", *start)
        self.mouse("mousePressed", *start)
        for step in range(1, 6):
            between = (a + (b - a) * step / 5 for a, b in zip(start, end, strict=True))
            x, y = between
            params = {"type": "mouseMoved", "x": x, "y": y, "button": "left", "buttons": 1}
            self.send("Input.dispatchMouseEvent", **params)
        self.mouse("mouseReleased", *end)

    def screenshot(self, path):
        """Write a picture of the visible part."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def problems(self):
        """The errors and warnings of the console, exceptions, and requests to other machines."""
        self.evaluate("1")  # the events so far come before the answer
        found = []
        for event in self.connection.events:
            method, params = event.get("method"), event.get("params", {})
            if event.get("sessionId") != self.session:
                continue
            if method == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"]["text"])
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
                found.append(str(params["args"]))
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(params["entry"]["text"])
            elif method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                found += [] if url.startswith(("file:", "data:", "blob:")) else [url]
        # Software rendering is slow to copy pixels, and says so.
        return [entry for entry in found if "GPU stall due to ReadPixels" not in entry]
