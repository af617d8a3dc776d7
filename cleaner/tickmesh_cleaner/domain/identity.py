"""Digests that name a run: the same source cleaned twice has the same producer."""

from __future__ import annotations

import hashlib
import json

CUTTING_RULE = "text-32768-typed-65536/2"
"""How sources are cut into batches. Part of a producer's id, since its numbering depends on it."""

BATCH_RECORDS = 32_768
"""Records of text a batch is cut to: small enough to act on a schema change in well under 100 ms at
a million rows a second, large enough that its share of a local transaction does not matter."""

MOST_RECORDS = 65_536
"""Records of typed columns a batch is cut to, which need no parsing; no batch holds more."""


def _digest(**parts: str) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def producer_id(
    *, content_digest: str, spec_fingerprint: str, file_name: str, dataset: str, nonce: str
) -> str:
    """The producer a job's rows are stored under.

    Args:
        content_digest: Digest of the source's content.
        spec_fingerprint: Fingerprint of its source spec.
        file_name: The file name constants are taken from; empty when the spec uses none.
        dataset: The dataset the rows go to.
        nonce: Empty, or the job's id when its rows are to be stored again.

    Returns:
        `cleaner-` and 40 hexadecimal digits: equal for equal arguments only.
    """
    digest = _digest(
        content=content_digest,
        spec=spec_fingerprint,
        file_name=file_name,
        dataset=dataset,
        nonce=nonce,
        cutting_rule=CUTTING_RULE,
    )
    return f"cleaner-{digest[:40]}"


def rule_set_fingerprint(*, spec_fingerprint: str, engine: str) -> str:
    """Name what a row was judged by, beside its schema: the source spec and the engine."""
    return _digest(spec=spec_fingerprint, engine=engine)[:32]


def fingerprint_with(fingerprint: str, *, rules: str) -> str:
    """A rule-set fingerprint with that of the tick rules of a schema, if it has any."""
    return _digest(judge=fingerprint, rules=rules)[:32] if rules else fingerprint
