"""Which requests reach Dagster's pages: none that another site's page makes.

Here: an ASGI app in front of another one, and what it refuses. Not here: who the user is, which
a proxy asks, and what is served (`cli/ui.py`).

Dagster's web server runs whatever reaches its `/graphql`, by GET as well, and asks for no
password: any page that is open in the same browser could start what spends money. But a
browser says with each request where it comes from (`Origin`, `Sec-Fetch-Site`) and under which
name it found us (`Host`), and no page can change that. Other programs of the same user may do
what that user may.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
READING = frozenset({"GET", "HEAD"})
OWN_FETCH_SITES = frozenset({"same-origin", "none"})
"""What `Sec-Fetch-Site` says of our own pages, and of an address that the user typed."""
POLICY_VIOLATION = 1008
DEFAULT_PORTS = {"http": 80, "https": 443}


class SameOriginGuard:
    """Lets through what our own pages ask, and what comes from no page at all.

    `hosts` are the names under which we may be reached beside loopback and the socket's own
    address: a proxy's, each with its port where that is not the scheme's own.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 403, or for a WebSocket before it opens, and say why."""
        reason = None if scope["type"] == "lifespan" else self._reason_to_refuse(scope)
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})
        else:
            await PlainTextResponse(f"refused: {reason}\n", 403)(scope, receive, send)

    def _reason_to_refuse(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own(hosts[0].lower(), scope):
            return "this host is not ours; if it is a proxy's, name it in [ui] hosts"
        host = hosts[0].lower()
        is_own_origin = all(self._is_same(each.lower(), host) for each in headers.getlist("origin"))
        is_own_fetch = OWN_FETCH_SITES.issuperset(headers.getlist("sec-fetch-site"))
        if not is_own_origin or not (is_own_fetch or _follows_link(scope, headers)):
            return "another site's page asks"
        if scope["type"] == "http" and _is_graphql(scope):
            return _reason_to_refuse_query(scope, headers)
        return None

    def _is_own(self, host: str, scope: Scope) -> bool:
        name = _name(host)
        address = (scope.get("server") or ("", None))[0]
        return name in LOOPBACK or name == address or bool({host, name} & self._hosts)

    def _is_same(self, origin: str, host: str) -> bool:
        """Whether an origin is this host's, or a proxy's that does not hand its name on."""
        try:
            parts = urlsplit(origin)
            port = DEFAULT_PORTS[parts.scheme]
        except (KeyError, ValueError):  # "null", another scheme, broken brackets
            return False
        place = parts.netloc.removesuffix(f":{port}")
        return place == host.removesuffix(f":{port}") or place in self._hosts


def _follows_link(scope: Scope, headers: Headers) -> bool:
    """Whether the user follows a link to a page of ours, which by itself changes nothing."""
    return (
        scope["type"] == "http"
        and scope["method"] in READING
        and headers.getlist("sec-fetch-mode") == ["navigate"]
        and headers.getlist("sec-fetch-dest") == ["document"]
        and not _is_graphql(scope)
    )


def _is_graphql(scope: Scope) -> bool:
    return scope["path"].rstrip("/").endswith("/graphql")


def _reason_to_refuse_query(scope: Scope, headers: Headers) -> str | None:
    """By GET there is the page on which queries are written, and no query."""
    if scope["method"] in READING:
        return "a query is sent by POST" if scope["query_string"] else None
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return "a query is sent as application/json"
    return None


def _name(host: str) -> str:
    """The host without its port; an IPv6 address without its brackets."""
    if host.startswith("["):
        address = host[1:].partition("]")[0]
        try:
            return str(ipaddress.ip_address(address))
        except ValueError:
            return ""
    return host.partition(":")[0]
