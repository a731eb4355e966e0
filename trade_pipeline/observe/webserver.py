"""The guarded UI, and the metrics beside it: run as `python -m trade_pipeline.observe.webserver --port N`."""

from __future__ import annotations

import os

from starlette.routing import BaseRoute

from trade_pipeline.observe.metrics.exposition import Exposition, metrics_route
from trade_pipeline.runtime import webserver
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import settings_in_force


def routes(home: Home) -> list[BaseRoute]:
    """What stands on the UI's address besides the UI."""
    return [metrics_route(Exposition(home, settings_in_force(home), os.environ))]


if __name__ == "__main__":
    webserver.main(routes)
