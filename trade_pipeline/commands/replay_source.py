"""Reads the recording that `--replay` names before anything starts; playing it is the exchange's business."""

from __future__ import annotations

from trade_pipeline.settings.market import SimulatedExchangeSettings


def check_replay(settings: SimulatedExchangeSettings) -> None:
    """Raises ReplayFileError when there is nothing that could be played, as the exchange itself would."""
    from trade_pipeline.exchange.market.recordings import read_recordings
    from trade_pipeline.exchange.market.replay import start_slot

    if settings.replay is not None:
        start_slot(read_recordings(settings.replay), settings.replay_from, settings.history_days)
