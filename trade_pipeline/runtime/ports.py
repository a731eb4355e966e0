"""TCP ports of a stack: are they free, and which one is."""

from __future__ import annotations

import socket

from trade_pipeline.errors import PortTaken

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of this machine's loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """Any free port. Somebody else may take it before it is used, which the start then reports."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def claimed(port: int, *, setting: str, option: str = "") -> int:
    """`port`, or any free one for 0. Raises PortTaken when somebody else listens there."""
    if port == 0:
        return free_port()
    if not is_free(port):
        other = f" (or {option})" if option else ""
        raise PortTaken(
            "the port belongs to another program",
            thing=setting,
            value=port,
            repair=f"Stop that program, or set {setting}{other} to another port; 0 takes any free one.",
        )
    return port
