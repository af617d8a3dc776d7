"""JSON Schema on Arrow columns: exact verdicts by kernels, the row oracle for the rest.

    validator = compile_schema(schema, batch.schema)
    verdicts = validator.check(batch)
    good = batch.filter(verdicts.good)
    for row, reasons in zip(verdicts.bad_indices, verdicts.reasons_of(verdicts.bad_indices)): ...

A verdict is never guessed: what no kernel proves or refutes is judged row by row, and only those
rows.  How Arrow types read as JSON is told in `tickmesh.schema.validation.logical`.
"""

from tickmesh.schema.validation.compilation import compile_schema, reasons_of_document
from tickmesh.schema.validation.dialects import UnsupportedSchemaError
from tickmesh.schema.validation.documents import NullMeans, row_documents
from tickmesh.schema.validation.explanation import Decision, ExplainedKeyword, Explanation, Method
from tickmesh.schema.validation.oracle import FormatMode
from tickmesh.schema.validation.reasons import Reason, Site
from tickmesh.schema.validation.self_check import Disagreement, Recheck, SelfCheck
from tickmesh.schema.validation.validator import Validator
from tickmesh.schema.validation.verdicts import Verdicts

__all__ = [
    "Decision",
    "Disagreement",
    "ExplainedKeyword",
    "Explanation",
    "FormatMode",
    "Method",
    "NullMeans",
    "Reason",
    "Recheck",
    "SelfCheck",
    "Site",
    "UnsupportedSchemaError",
    "Validator",
    "Verdicts",
    "compile_schema",
    "reasons_of_document",
    "row_documents",
]
