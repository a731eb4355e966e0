"""What a running stack's webserver is asked through GraphQL, as the UI's own page asks it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from trade_pipeline.errors import ConfigurationError

ANSWER_S = 30.0


def ask_ui(ui_url: str, token: str, query: str, variables: dict[str, object]) -> dict[str, Any]:
    """The answer's data. Raises ConfigurationError where the webserver does not answer, or refuses the question."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(  # noqa: S310  (our own webserver, on the loopback)
        f"{ui_url}/graphql",
        data=body,
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_S) as reply:
            answer = json.load(reply)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the webserver does not answer ({error})", thing=ui_url, repair="Start the stack with `trade-pipeline up`."
        ) from error
    if answer.get("errors"):
        raise ConfigurationError(str(answer["errors"][0].get("message")), thing="GraphQL")
    data: dict[str, Any] = answer["data"]
    return data
