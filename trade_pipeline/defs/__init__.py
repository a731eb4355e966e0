"""The Dagster shell: assets, checks, jobs, schedules, sensors and resources. No trading logic belongs here."""

import warnings

import dagster as dg

# Owners of sensors are beta and partitions of checks preview in the pinned release; each is used on purpose, and
# `test_gate` notices when it changes. The notes would fill the output of every command.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning, message=".*AssetCheckSpec.*")
