"""A page for trying the point of entry out: a form whose record fills in.

Here: the page as a route, for `enrichment serve --demo`. Not here: what it asks
(`contact_routes.py`). It holds no token: who opens it has it behind the # of the address.
"""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

PATH = "/demo"


def demo_route() -> Route:
    """`GET /demo`."""
    page = files("enrichment_pipeline.entry").joinpath("demo.html").read_text(encoding="utf-8")

    async def demo(_request: Request) -> HTMLResponse:
        return HTMLResponse(page)

    return Route(PATH, demo, methods=["GET"])
