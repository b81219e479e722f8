# SPDX-License-Identifier: Apache-2.0
"""A job bundle on disk: template, values, graph, and what Deadline Cloud asks for beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from understudy.farm.graph_file import write_graph, write_text
from understudy.farm.job import FarmJob
from understudy.farm.openjd_paths import asset_references, relocated
from understudy.farm.openjd_template import GRAPH_FILE, Wishes, job_template, parameter_values

TEMPLATE_FILE = "template.yaml"
VALUES_FILE = "parameter_values.yaml"
"""As Deadline Cloud reads it: a list."""

LOCAL_VALUES_FILE = "openjd_parameters.yaml"
"""The same as ``openjd run -p file://`` reads it: a mapping."""

ASSETS_FILE = "asset_references.yaml"


def write_bundle(job: FarmJob, wishes: Wishes, folder: Path) -> tuple[Path, ...]:
    """Writes a bundle; files of an earlier one are replaced.

    Args:
        job: What to render.
        wishes: How.
        folder: Where; made if it is not there.

    Returns:
        The files.

    Raises:
        OutputError: They can't be written.
        UnderstudyError: A lights document can't be read.
    """
    graph, paths = relocated(job.graph)
    values = parameter_values(wishes, paths)
    listed = [{"name": name, "value": value} for name, value in values.items()]
    texts: dict[str, Mapping[str, Any]] = {
        TEMPLATE_FILE: job_template(wishes, paths),
        VALUES_FILE: {"parameterValues": listed},
        LOCAL_VALUES_FILE: values,
        ASSETS_FILE: asset_references(job.graph, paths),
    }
    write_graph(graph, folder / GRAPH_FILE)
    for name, content in texts.items():
        write_text(folder / name, yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=4096))
    return (folder / GRAPH_FILE, *(folder / name for name in texts))
