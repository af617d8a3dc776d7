"""JSON Schema on Arrow columns: exact verdicts by kernels, the row oracle for what they leave open."""

from tickmesh.schema.validation.dialects import UnsupportedSchemaError
from tickmesh.schema.validation.documents import NullMeans, row_documents
from tickmesh.schema.validation.oracle import FormatMode
from tickmesh.schema.validation.reasons import Reason, Site
from tickmesh.schema.validation.validator import Validator, compile_schema, reasons_of_document
from tickmesh.schema.validation.verdicts import Verdicts

__all__ = [
    "FormatMode",
    "NullMeans",
    "Reason",
    "Site",
    "UnsupportedSchemaError",
    "Validator",
    "Verdicts",
    "compile_schema",
    "reasons_of_document",
    "row_documents",
]
