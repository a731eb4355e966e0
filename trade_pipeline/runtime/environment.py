"""What every process of a stack finds in its environment, and the secrets that the first `up` makes.

The environment is the only way in which a process learns where its stack is; nothing else is inherited by accident.
"""

from __future__ import annotations

import os
import secrets as random_secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from trade_pipeline.errors import ConfigurationError
from trade_pipeline.runtime import embedded_postgres
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import VARIABLES, Secrets, read_secrets_file, write_private
from trade_pipeline.settings.root import Settings

POSTGRES_PASSWORD = "TRADE_PIPELINE_POSTGRES_PASSWORD"  # noqa: S105  (a variable's name)
CODE_SOCKET = "TRADE_PIPELINE_CODE_SOCKET"
RESEARCH_SOCKET = "TRADE_PIPELINE_RESEARCH_SOCKET"
DEFINITIONS = "TRADE_PIPELINE_DEFINITIONS"
PROCESS = "TRADE_PIPELINE_PROCESS"
"""Set for supervised processes only: by it the next `up` finds what a dead supervisor left behind."""

ALLOCATOR = "_RJEM_MALLOC_CONF"
ALLOCATION = "narenas:2,dirty_decay_ms:500,muzzy_decay_ms:0"
"""The allocator that polars and deltalake each bring along has four arenas a core, and keeps what was freed in each of
them for a while. So a decision for many symbols holds tens of megabytes less, and takes as long. Whatever stands in
the environment is replaced: polars writes its own wish there, in front of ours, as soon as it is imported."""

REPOSITORY = Path(__file__).resolve().parents[2]
_SECRETS_HEADER = "# Made by trade-pipeline. Keep this file private; the exchange and the database know these values.\n"


def prepare_home(home: Home) -> None:
    """Creates the home's folders. Raises ConfigurationError when one cannot be made or belongs to somebody else."""
    folders = [home.root, home.logs, home.dagster, home.control, home.exchange, home.journal, working_folder(home)]
    try:
        for folder in [*folders, home.redis, home.postgres, home.sockets]:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            f"a folder cannot be made ({error.strerror})",
            thing=str(error.filename or home.root),
            repair="Name a home that you own with --home.",
        ) from error
    # Anybody may create folders in the temporary directory: the sockets must be behind our own.
    if home.sockets.is_symlink() or home.sockets.stat().st_uid != os.getuid():
        raise ConfigurationError(
            "the folder of the sockets belongs to somebody else",
            thing=str(home.sockets),
            repair="Remove it, or set TMPDIR to a folder of your own.",
        )
    home.sockets.chmod(0o700)


def working_folder(home: Home) -> Path:
    """Where supervised processes run and write their signs of being ready."""
    return home.root / "run"


def broker_socket(home: Home) -> Path:
    return home.sockets / "redis.sock"


def code_socket(home: Home) -> Path:
    return home.sockets / "code.sock"


def research_socket(home: Home) -> Path:
    return home.sockets / "research.sock"


def supervisor_socket(home: Home) -> Path:
    return home.sockets / "supervisor.sock"


def embedded_broker_url(home: Home) -> str:
    return f"redis+socket://{quote(str(broker_socket(home)))}"


def make_secrets(home: Home, settings: Settings, environ: Mapping[str, str]) -> Secrets:
    """Secrets of the stack: those given in `environ` or `settings`, else stored ones, else new random ones.

    Written to `home.secrets` (0600) so that `status`, `flatten` and `env` find them from another terminal.
    """
    stored = read_secrets_file(home)
    password = stored.get(POSTGRES_PASSWORD) or random_secrets.token_urlsafe(24)
    ledger = settings.storage.ledger_url
    broker = settings.runtime.broker_url

    def kept(name: str, bytes_count: int) -> str:
        variable = VARIABLES[name]
        # Only the simulated exchange takes keys that we make up, and paper's orders go there too.
        made_up = random_secrets.token_hex(bytes_count) if settings.mode != "live" else ""
        return environ.get(variable) or stored.get(variable) or made_up

    token = VARIABLES["ui_token"]
    made = Secrets(
        exchange_api_key=kept("exchange_api_key", 32),
        exchange_api_secret=kept("exchange_api_secret", 32),
        exchange_api_passphrase=kept("exchange_api_passphrase", 0),
        ledger_url=with_driver(ledger.get_secret_value()) if ledger else embedded_postgres.url(home.sockets, password),
        broker_url=broker.get_secret_value() if broker else embedded_broker_url(home),
        # A new one at every start: an address that was opened once, or a cookie that was seen, ends with the stack.
        ui_token=environ.get(token) or random_secrets.token_urlsafe(32),
    )
    lines = [f"{variable}={getattr(made, name)}" for name, variable in VARIABLES.items()]
    write_private(home.secrets, _SECRETS_HEADER + "\n".join([*lines, f"{POSTGRES_PASSWORD}={password}"]) + "\n")
    return made


def with_driver(url: str) -> str:
    # SQLAlchemy 2.1 reads a bare postgresql:// as psycopg 3, which Dagster's storage cannot use.
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if separator and scheme in ("postgresql", "postgres") else url


def exchange_url(settings: Settings) -> str | None:
    """Where the stack's simulated exchange is; None in live mode, which has none."""
    return None if settings.mode == "live" else f"http://127.0.0.1:{settings.exchange.port}"


def exchange_address(settings: Settings) -> dict[str, str]:
    url = exchange_url(settings)
    return {"TRADE_PIPELINE_EXCHANGE_URL": url} if url else {}


def stack_environment(home: Home, settings: Settings, secrets: Secrets, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables of every process of the stack, and of `trade-pipeline env`. Holds secrets."""
    paths = [str(REPOSITORY), *filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        "TRADE_PIPELINE_HOME": str(home.root),
        # A secret that this stack has not (a key's third part) is not there, rather than empty.
        **{variable: value for name, variable in VARIABLES.items() if (value := getattr(secrets, name))},
        **exchange_address(settings),
        CODE_SOCKET: environ.get(CODE_SOCKET) or str(code_socket(home)),
        RESEARCH_SOCKET: environ.get(RESEARCH_SOCKET) or str(research_socket(home)),
        DEFINITIONS: environ.get(DEFINITIONS, "trade_pipeline.definitions"),
        "TRADE_PIPELINE_DAGSTER_FOLDER": str(home.dagster),
        "DAGSTER_HOME": str(REPOSITORY),
        ALLOCATOR: ALLOCATION,
        # An editable installation needs no path, a plain checkout does.
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
    }
