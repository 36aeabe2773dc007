"""Chromium without a display, driven through two pipes: its DevTools protocol, messages that end with a NUL."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")


def found() -> str | None:
    """The browser of this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One tab. told: what pages wrote to the console or had to be told: errors, warnings, exceptions."""

    def __init__(self, program: str, folder: Path) -> None:
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()

        def pipes() -> None:  # 3 is read by the browser, 4 written
            moved = os.dup(read_there), os.dup(write_there)
            os.dup2(moved[0], 3)
            os.dup2(moved[1], 4)

        words = (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
            f"--user-data-dir={folder}", "about:blank",
        )  # fmt: skip
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [program, *words], preexec_fn=pipes, close_fds=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        os.close(read_there)
        os.close(write_there)
        self.read, self.write = os.fdopen(read_here, "rb"), os.fdopen(write_here, "wb")
        self.number, self.session, self.told, self.loaded = 0, None, [], False
        [tab] = [one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        self.session = self.ask("Target.attachToTarget", targetId=tab["targetId"], flatten=True)["sessionId"]
        for room in ("Page", "Runtime", "Log"):
            self.ask(f"{room}.enable")

    def ask(self, method: str, **parameters) -> dict:
        """The answer to a command; what happens meanwhile is kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.write.write(json.dumps(message).encode() + b"\0")
        self.write.flush()
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def next(self) -> dict:
        """The next message."""
        parts = []
        while (byte := self.read.read(1)) != b"\0":
            assert byte, "the browser has ended"
            parts.append(byte)
        message = json.loads(b"".join(parts))
        method = message.get("method")
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.told.append(message["params"])
        self.loaded |= method == "Page.loadEventFired"
        return message

    def open(self, page: Path, width: int, scheme: str) -> None:
        """Load a file in a window of that width, where the person prefers that colour scheme."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.loaded = False
        self.ask("Page.navigate", url=page.as_uri())
        while not self.loaded:
            self.next()

    def value(self, expression: str):
        """What JavaScript says."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        import base64

        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(OSError, AssertionError):
            self.session = None
            self.ask("Browser.close")
        self.process.wait(60)
        self.read.close()
        self.write.close()
