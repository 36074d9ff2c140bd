"""Who may load the panel's page: the browser that was given its address, and nobody else.

The page shows the security code and can press *leave* and *admit*. It listens on loopback, but
every page that a browser has open can send requests to loopback, and so can every user of the
machine. Three checks, all of them on pages and on the WebSocket alike:

* the first part of the path is a random token that only the address in `url_file` tells;
* `Host` is the address listened on (a DNS name that was rebound to 127.0.0.1 is not);
* `Origin`, which a browser always sends with a WebSocket, is this page's own.
"""

import hmac
import secrets
from http import HTTPStatus

from websockets.datastructures import Headers, MultipleValuesError

TOKEN_BYTES = 18


class PageGuard:
    """Knows the token and the address; judges requests. `repr` does not show the token."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._authority = ""

    def listening(self, host: str, port: int) -> None:
        """Say where the server listens."""
        self._authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def url(self) -> str:
        """The page's full address, token included: for the person in the room only."""
        return f"http://{self._authority}/{self._token}/"

    @property
    def origin(self) -> str:
        """What a browser calls the origin of the page."""
        return f"http://{self._authority}"

    def resource(self, path: str, headers: Headers) -> str | HTTPStatus:
        """The name after the token, or the status to refuse with.

        Answers NOT_FOUND to a wrong token, FORBIDDEN to a foreign Host or Origin.
        """
        try:
            host, origin = headers.get("Host", ""), headers.get("Origin", self.origin)
        except MultipleValuesError:
            return HTTPStatus.BAD_REQUEST
        if host != self._authority or origin != self.origin:
            return HTTPStatus.FORBIDDEN
        _, token, *rest = path.partition("?")[0].split("/", 2) if path.startswith("/") else ("", "")
        if not rest or not hmac.compare_digest(token.encode(), self._token.encode()):
            return HTTPStatus.NOT_FOUND
        return rest[0]
