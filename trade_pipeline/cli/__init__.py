"""The command `trade-pipeline`: arguments and help only. Bodies are in `commands`, imported when they run.

Nothing heavy may be imported here: `--help` must answer at once.
"""

from __future__ import annotations

import sys
from typing import Any

import typer

from trade_pipeline.cli import bench, breaker, config, history, proofs, quality, running, trading
from trade_pipeline.errors import TradePipelineError

app = typer.Typer(
    name="trade-pipeline",
    help="One auditable pipeline from market bar to filled order.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for room in (running, trading, history, proofs):
    app.add_typer(room.app)
app.add_typer(bench.app, name="bench")
app.add_typer(breaker.app, name="breaker")
app.add_typer(config.app, name="config")
app.add_typer(quality.app, name="quality")


def main(arguments: list[str] | None = None) -> Any:
    """Exit code 0: done; 2: something has to be changed first, said in one sentence; 130: interrupted."""
    try:
        return app(args=arguments)
    except TradePipelineError as error:
        sys.stderr.write(f"trade-pipeline: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader has had enough, as in `status | head`.
        sys.stderr.close()
        sys.exit(0)
