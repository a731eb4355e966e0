"""The job that sends the orders of one decision: claim, gate, plan, submit, confirm, record.

Here stands only what Dagster knows: the run that claims, and the gate's verdict. How orders are planned and sent is
in `execution`.
"""

# No postponed annotations here: Dagster reads the type of `context` itself.

import dagster as dg

from trade_pipeline.defs.checks import REQUIRED
from trade_pipeline.defs.gate import Verdict, judge
from trade_pipeline.defs.jobs import live_tags
from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.defs.run_time import EXECUTE_JOB
from trade_pipeline.execution.execute import execute_decision as execute_on
from trade_pipeline.ledger.records import Decision


class ExecuteConfig(dg.Config):
    """Which decision is executed."""

    decision_id: str


@dg.op(name="execute_decision", description="Sends what the decision's targets ask for, once.")
def execute_decision(context: dg.OpExecutionContext, stack: Stack, config: ExecuteConfig) -> None:
    """A run that comes second for a decision ends green and sends nothing."""
    opened = stack.open
    report = execute_on(
        opened.desk,
        config.decision_id,
        run_id=context.run_id,
        gate=lambda decision: ask_gate(context.instance, opened, decision),
    )
    context.log.info(report.outcome)
    verdicts = {symbol: f"{verdict.action}: {verdict.reason}" for symbol, verdict in report.verdicts.items()}
    context.add_output_metadata(
        {
            "outcome": report.outcome,
            "orders": len(report.orders),
            "latency_ms": None if report.latency_s is None else round(report.latency_s * 1000),
            "verdicts": dg.MetadataValue.json(verdicts),
        }
    )


def ask_gate(instance: dg.DagsterInstance, stack: OpenStack, decision: Decision) -> Verdict:
    """The gate's verdict on a decision, into the ledger. A gate that cannot be asked is closed."""
    try:
        verdict = judge(
            instance,
            decision_id=decision.decision_id,
            run_id=decision.run_id,
            day=decision.partition,
            required=REQUIRED,
            now=stack.now(),
            age_s_max=stack.settings.execution.decision_age_s_max,
        )
    except Exception as error:
        # Reducing orders must still go out when Dagster's storage is in trouble.
        verdict = Verdict((f"the gate could not be asked: {type(error).__name__}: {error}",))
    outcome = "open" if verdict.is_open else "closed"
    stack.ledger.record_outcome(decision.decision_id, "gate", outcome, {"reasons": list(verdict.reasons)})
    return verdict


@dg.job(
    name=EXECUTE_JOB,
    executor_def=dg.in_process_executor,
    tags=live_tags("execute", 30),
    description="From approved targets to orders on the exchange.",
)
def execute() -> None:
    execute_decision()
