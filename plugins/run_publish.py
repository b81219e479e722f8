# SPDX-License-Identifier: Apache-2.0
"""Runs a publish with pyblish and tells it as JSON lines, in a process of its own: pyblish's registry is global.

Reads one JSON object on stdin: ``paths`` (plug-in folders), ``targets``, ``data`` (for the context). Writes events on
stdout; what plug-ins print goes to stderr. The exit code says only whether pyblish could run: who started this judges
the events, for ``pyblish publish`` itself ends with 0 when plug-ins fail.
"""

import json
import logging
import sys
from pathlib import Path


def main():
    """Publishes once."""
    job = json.load(sys.stdin)
    told, sys.stdout = sys.stdout, sys.stderr  # pyblish and plug-ins print

    def tell(event):
        told.write(json.dumps(event, default=str) + "\n")
        told.flush()

    import pyblish.api
    import pyblish.util

    # pyblish logs and prints each failure with its traceback; here it is an event, told once.
    logging.getLogger("pyblish").addHandler(logging.NullHandler())
    logging.getLogger("pyblish").propagate = False
    pyblish.util.print = lambda *_: None
    ours = Path(__file__).resolve().parent

    pyblish.api.deregister_all_paths()
    pyblish.api.deregister_all_plugins()
    pyblish.api.deregister_all_targets()
    plugins = pyblish.api.discover(paths=job["paths"])
    names = [plugin.__name__ for plugin in plugins]
    tell({"event": "plugins", "names": names, "not_loaded": _not_loaded(job["paths"], plugins)})
    context = pyblish.api.Context()
    context.data.update(job["data"])
    for result in pyblish.util.publish_iter(context, plugins=plugins, targets=["default", *job["targets"]]):
        tell(_plugin(result))
        if result["error"] is not None and ours not in Path(result["plugin"].__module__).resolve().parents:
            sys.stderr.write(f"{result['error'].formatted_traceback}\n")  # a studio's own plug-in: its author reads it
    kept = ("productName", "families", "source", "version", "publishDir", "representations", "published")
    for instance in context:
        for finding in instance.data.get("understudyFindings", ()):
            tell(finding)
        facts = {key: instance.data.get(key) for key in kept}
        tell({"event": "instance", "name": instance.name, **facts})


def _plugin(result):
    """What came of one plug-in on one instance."""
    plugin, error = result["plugin"], result["error"]
    return {
        "event": "plugin",
        "name": plugin.__name__ if plugin else "",
        "label": (plugin.label or plugin.__name__) if plugin else "",
        "order": plugin.order if plugin else None,
        "instance": result["instance"].name if result["instance"] is not None else "",
        "ok": error is None,
        "problem": "" if error is None else str(error),
        "exit_code": getattr(error, "exit_code", None),
        "seconds": round((result.get("duration") or 0) / 1000, 3),
    }


def _not_loaded(paths, plugins):
    """Plug-in files that pyblish could not load; it only logs them."""
    loaded = {Path(plugin.__module__).resolve() for plugin in plugins}
    files = [file.resolve() for path in paths for file in sorted(Path(path).glob("*.py")) if file.name[0] != "_"]
    return [str(file) for file in files if file not in loaded]


if __name__ == "__main__":
    main()
