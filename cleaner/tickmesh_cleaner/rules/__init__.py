"""Rules that know ticks: sessions, tick sizes, crossed quotes, order, duplicates, outliers.

A schema states them as `x-tick-*` keywords, which other validators ignore. The cleaner asks them
after the schema; analysts can ask them of any table:

    rules = compile_rules(document, arrow_schema)
    ruling = rules.judge(batch, RuleState())     # causal: what was known at the time
    ruling = rules.judge_whole(table)            # centred, where a rule has that form

docs/rules/README.md lists them.
"""

from tickmesh_cleaner.rules.memory import RuleState
from tickmesh_cleaner.rules.parameters import RuleError
from tickmesh_cleaner.rules.rule_set import (
    RepairedValue,
    RuleSet,
    Ruling,
    compile_rules,
    count_flags,
)
from tickmesh_cleaner.rules.severity import FLAG_BITS, Severity

__all__ = [
    "FLAG_BITS",
    "RepairedValue",
    "RuleError",
    "RuleSet",
    "RuleState",
    "Ruling",
    "Severity",
    "compile_rules",
    "count_flags",
]
