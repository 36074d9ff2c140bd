"""A headless Chromium that tests drive over the DevTools protocol: load, look, press, photograph."""

import base64
import json
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, connect

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "about:blank",
)


def chromium_path() -> str | None:
    """Where Chromium is, or None."""
    return shutil.which("chromium")


@contextmanager
def browser(profile: Path) -> Iterator[str]:
    """Run Chromium; gives its DevTools address once it listens, and ends it afterwards."""
    program = chromium_path()
    assert program is not None
    with subprocess.Popen(
        [program, f"--user-data-dir={profile}", *FLAGS],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said: list[str] = []
        address = ""
        for line in process.stderr:
            said.append(line)
            if line.startswith("DevTools listening on "):
                address = line.removeprefix("DevTools listening on ").strip()
                break
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        try:
            assert address, "".join(said)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=20)
            drain.join(timeout=20)


class Tab:
    """One tab: `call` speaks DevTools, the rest is what the tests need of it."""

    def __init__(self, connection: ClientConnection, session: str) -> None:
        self._connection = connection
        self._session = session
        self._number = 0

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send one DevTools command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        await self._connection.send(json.dumps(message))
        async for data in self._connection:
            answer = json.loads(data)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return cast("dict[str, Any]", answer["result"])
        raise AssertionError("the browser went away")

    async def size(self, width: int, height: int) -> None:
        """Set the window's inner size in pixels."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def open(self, url: str) -> None:
        """Go to `url`; returns when the page and its scripts have been loaded."""
        await self.call("Page.enable")
        await self.call("Page.navigate", url=url)
        async for data in self._connection:
            if json.loads(data).get("method") == "Page.loadEventFired":
                return

    async def until(self, condition: str) -> None:
        """Wait until a JavaScript condition on the document holds, looking at each change of it."""
        await self.evaluate(
            "new Promise(done => { const look = () => (" + condition + ") && done(true); "
            "new MutationObserver(look).observe(document, "
            "{attributes: true, childList: true, subtree: true, characterData: true}); look(); })"
        )

    async def tap(self, selector: str) -> None:
        """Press the mouse on the middle of what this selector finds, as a person does; scroll to it first."""
        box = await self.evaluate(
            f"(() => {{ const found = document.querySelector({selector!r});"
            " found.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const box = found.getBoundingClientRect();"
            " return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **box)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is awaited."""
        result = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def picture(self) -> bytes:
        """The tab as PNG."""
        result = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(result["data"])


@asynccontextmanager
async def tab(address: str) -> AsyncIterator[Tab]:
    """A fresh tab with a profile of its own, closed afterwards."""
    async with connect(address, max_size=None, compression=None) as connection:
        whole = Tab(connection, "")
        context = (await whole.call("Target.createBrowserContext"))["browserContextId"]
        target = await whole.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await whole.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        one = Tab(connection, attached["sessionId"])
        await one.size(1280, 800)
        yield one
        await whole.call("Target.disposeBrowserContext", browserContextId=context)
