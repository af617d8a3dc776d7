from typing import Literal

import pyarrow as pa

def write_deltalake(
    table_or_uri: str, data: pa.Table, *, mode: Literal["append", "overwrite"] = ...
) -> None: ...
