# SPDX-License-Identifier: Apache-2.0
"""What the options of a command say of the record that its render writes."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.graph.document import Graph


def with_record_options(graph: "Graph", *, rights: str, no_record: bool) -> "Graph":
    """The graph with the rights of a file, and with or without a record.

    Args:
        graph: The document.
        rights: YAML file whose fields take the place of those of the graph's ``rights``; empty for none.
        no_record: No record is to be written.

    Raises:
        UsageError: The file holds something else.
        InputError: It can't be read.
    """
    if no_record and rights:
        raise UsageError("--rights are kept in the record", where="--no-record", fix="leave one of the two out")
    if no_record:
        return graph.model_copy(update={"record": False})
    if not rights:
        return graph
    from pydantic import ValidationError

    from understudy.contracts.fields import field_path
    from understudy.contracts.shot_rights import ShotRights
    from understudy.graph.yaml_file import read_yaml

    given = read_yaml(Path(rights), "rights file")
    known = graph.rights.model_dump() if graph.rights else {}
    if not isinstance(given, dict):
        fields = ", ".join(ShotRights.model_fields)
        raise UsageError("holds no rights", where=rights, fix=f"write fields: {fields}")
    try:
        found = ShotRights.model_validate(known | given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        fix = f"its fields are {', '.join(ShotRights.model_fields)}"
        raise UsageError(f"{field_path(first['loc'])}: {first['msg'].lower()}", where=rights, fix=fix) from None
    return graph.model_copy(update={"rights": found})
