# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - a script, not a package
"""Writes the pages of ``docs/reference`` that describe code, from the code, so that they can't drift from it.

Run ``python docs/generate_reference.py``; a test fails when a page is not what this would write. The texts are those of
docstrings and of ``--help``.
"""

import ast
import dataclasses
import datetime as dt
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from understudy.cli.main import app
from understudy.contracts import manifest, policy, rights
from understudy.contracts.channels import ChannelKind, classify
from understudy.contracts.document_problems import is_table
from understudy.contracts.errors import UnderstudyError
from understudy.contracts.shot_rights import ShotRights
from understudy.frames.look import flicker
from understudy.graph import document, events
from understudy.provenance import job, record
from understudy.publish.checks.catalog import CHECKS
from understudy.publish.checks.quality import FLICKER_FACTOR, FLICKER_STOPS
from understudy.service.config import ServiceConfig
from understudy.service.metrics import OUTCOMES, STAGES, TRANSPORTS, Metrics
from understudy.session import document as session_document

sys.path.append(str(Path(__file__).parents[1] / "training"))  # where it is not installed
from understudy_training import recipe

FOLDER = Path(__file__).parent / "reference"

_BY = "This page is written by `docs/generate_reference.py`.\n"

_MANIFEST_INTRO = """\
# pack.toml

The manifest of a model pack, schema `understudy.pack/1`: what the pack promises. One TOML file in the pack's folder,
beside the files it names and a card, `README.md`. Unknown fields are errors. `understudy packs check FOLDER` tells
whether the promise holds.

"""
_GRAPH_INTRO = """\
# The graph document

YAML, schema `understudy.graph/1`; `understudy render` runs it, and the commands of the roles build one. Unknown fields
are errors that name their place, such as `nodes.slow.speed`. `$NAME` and `~` in paths are expanded; relative paths
start at the document's folder. Numbers may be fractions: `24000/1001`. A walk-through is in
[the guide](../guides/graphs.md).

"""
_RECIPE_INTRO = """\
# The recipe

TOML, schema `understudy.recipe/1`: all that a training run depends on. `understudy train RECIPE` runs one;
[the guide](../guides/train.md) walks through it. Unknown fields are errors that name their place, such as `run.steps`.
What `[options]` holds is the task's own: see the `Options` of its module in `training/understudy_training/tasks`.
`[made]` is written by `understudy train --from`: what made the shipped weights, and the score they had.

"""
_RECORD_INTRO = """\
# The provenance record

JSON, schema `understudy.record/1`, one file `<stem>.provenance.json` beside the frames of each write
node. What it is for, and what it does not prove, is in [the guide](../guides/rights-and-provenance.md); how hashes are
defined and records merge in [the concept](../concepts/provenance.md). Unknown fields are errors. Fields of a frame that
have their default may be left out.

"""
_SESSION_INTRO = """\
# The session file

A zip that `understudy session save` writes: `session.json`, described here (schema `understudy.session/1`);
`graph.yaml`, [the graph](graph.md), whose paths start at the session's variables and whose packs are locked;
`ocio/config.ocioz`, the OCIO config, where it is none of OpenColorIO's own; `results/`, files of drafts, stored as they
are. Other members, unknown fields, and paths that leave the folder of their variable are errors.
[The guide](../guides/draft-save-come-back.md) walks through it.

"""
_METRICS_INTRO = """\
# Metrics

What `/metrics` of a service holds for Prometheus; see [watch the service](../guides/watch-the-service.md). Times are
seconds, sizes bytes. Histograms have `_bucket`, `_sum` and `_count`.

"""
_SERVICE_INTRO = """\
# The service's configuration

TOML, schema `understudy.service/1`, read by `understudy serve --config FILE`. Unknown fields are errors that name their
place, such as `limits.max_requests`. Every section and every field may be left out; options of the command line go
before the file. `$NAME` and `~` in paths are expanded; relative paths start at the file's folder. Names end in their
unit: `_s` are seconds, `_bytes` bytes. An example that the tests load is
[`examples/service.toml`](../../examples/service.toml).

"""
_POLICY_INTRO = """\
# The show policy

TOML, schema `understudy.policy/1`: which packs a production allows to be loaded, rendered with and published. It is
found by `--policy FILE`, by `$UNDERSTUDY_POLICY`, and by a service under `[packs] policy`. Unknown fields are errors. A
policy that is missing or wrong allows nothing; a pack that it refuses ends a command with exit code 7 and a sentence.
An example that the tests load is [`examples/policy.toml`](../../examples/policy.toml); what a badge means is told in
[packs](../concepts/packs.md).

"""
_COMMAND_INTRO = """\
# Command line

What `understudy --help` says, on one page. Exit codes have [a page of their own](exit-codes.md), and so has what
`--json` prints: [events](events.md).

"""
_CHANNELS_INTRO = """\
# Channel kinds

What a channel is decides how each role treats it; the policies are in [plates and channels](../concepts/plates.md).
`understudy inspect` shows the kind of every channel, `--kind 'PATTERN=KIND'` overrules it.

"""
_NAMES_INTRO = """\
## Told from names

The last part of a name, or a whole part of its layer, decides. Three channels named R, G, B (or red, green, blue) of
one layer are color where nothing else fits; a channel stored as `uint` is an ID whatever its name.
"""
_EVENTS_INTRO = """\
# Events

With `--json` a command prints one JSON object a line on stdout; `event` says which. Progress for people goes to
stderr, and not at all with `--json`.

"""
_RENDER_INTRO = """\
## Of a render

`upscale`, `interpolate`, `motion`, `relight` and `render` print these; `demo` passes its warnings on.

"""
_CHECKS_INTRO = """\
# The checks of a publish

What `understudy publish` looks for, by family; each family has a validator among the plug-ins. An error stops the
publish: exit code 7 for the families packs and rights, 5 for the others. A warning is told. The names are stable.
[The guide](../guides/publish.md) says how to run them.

"""
_EXIT_INTRO = """\
# Exit codes

0 is done. Any other code comes with one sentence on stderr that says where, what and what to do; examples are in
[troubleshooting](../guides/troubleshooting.md). The classes are those of `understudy.contracts.errors`, the same in
Python, over gRPC and in the `kind` of an `error` event.

"""
_EXIT_END = """\
`understudy doctor` exits with 1 when something is broken, `understudy packs check` with 6 when a check fails.
Only after 75 is the same command worth another try as it is.
"""

MANIFEST: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Top level", manifest.PackManifest),
    ("`[runtime]`", manifest.RuntimeSpec),
    ("`[runtime.remote]`", manifest.RemoteSpec),
    ("`[[weights]]`", manifest.WeightFile),
    ("`[contract]`", manifest.Contract),
    ("`[options.NAME]`", manifest.OptionSpec),
    ("`[license]`", manifest.LicenseSpec),
    ("`[training]`", manifest.TrainingSpec),
    ("`[rights]`", rights.RightsSpec),
    ("`[[rights.datasets]]`", rights.DatasetSpec),
    ("`[[rights.ancestors]]`", rights.AncestorSpec),
    ("`[[citation]]`", manifest.Citation),
)
POLICY: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Top level", policy.PolicyDocument),
    ("`[show]`", policy.Show),
    ("`[packs]`", policy.PackRules),
    ("`[[packs.approvals]]`", policy.Approval),
    ("`[roles.ROLE]`", policy.Rules),
    ("`[record]`", policy.RecordRules),
    ("`[publish]`", policy.PublishRules),
)
GRAPH: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The document", document.Graph),
    ("`rights`", ShotRights),
    ("`lock`", document.Lock),
    ("`read`", document.ReadNode),
    ("`write`", document.WriteNode),
    ("`motion`", document.MotionNode),
    ("`interpolate`", document.InterpolateNode),
    ("`upscale`", document.UpscaleNode),
    ("`relight`", document.RelightNode),
    ("`color`", document.ColorNode),
    ("`vector_blur`", document.VectorBlurNode),
    ("`fps`", document.FpsChange),
    ("A key of `curve`", document.CurveKey),
    ("`timeline`", document.Timeline),
    ("`shutter`", document.Shutter),
)
SESSION: tuple[tuple[str, type[BaseModel]], ...] = (
    ("`session.json`", session_document.Session),
    ("A variable of `variables`", session_document.Variable),
    ("`ocio`", session_document.Config),
    ("A pack of `packs`", session_document.Pack),
    ("An input of `inputs`", session_document.Input),
    ("An output of `outputs`", session_document.Output),
    ("A file of `results`", session_document.Result),
)
RECORD: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The record", record.Record),
    ("`generator`", record.Generator),
    ("`sequence`", record.Sequence),
    ("`rights`", ShotRights),
    ("A run of `runs`", record.Run),
    ("`quality`", record.Quality),
    ("A job of `jobs`", job.Job),
    ("`graph`", job.GraphEntry),
    ("An operation of `operations`", job.Operation),
    ("A pack of `packs`", job.PackEntry),
    ("An input of `inputs`", job.InputEntry),
    ("A file of `files`", job.InputFile),
    ("`color`", job.ColorChain),
    ("An environment of `environments`", job.Environment),
    ("A policy of `policies`", job.PolicyEntry),
    ("A frame of `frames`", record.FrameEntry),
    ("A file of `beside`", record.FileHash),
)
_ENUMS: tuple[tuple[str, type[Enum]], ...] = (("Roles", manifest.Role), ("Encodings", manifest.Encoding))
_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")
_CHANNEL_EXAMPLES = (
    *("R", "diffuse.G", "left.B", "Y", "A", "diffuse.A", "Z", "depth.Z", "N.X", "normal.Y", "P.Z", "position.X"),
    *("forward.u", "motion.X", "velocity.x", "crypto_object00.R", "id.X", "matte.R", "roughness.Y"),
    *("confidence.Y", "uv.X", "temperature"),
)
_OTHER_EVENTS = (
    ("inspect", "`inspect`", "one for each input; channels, windows, color space, ranges, `errors`"),
    ("packs", "`packs list`", "`search_path`, `policy`, `packs`, `failures`"),
    ("pack", "`packs show`", "as the `pack` event, with `manifest`"),
    (
        "shot",
        "`conform`",
        "a clip: `number`, `name`, `speed`, `graph`, `pictures`, `frames`, `head`, `tail`",
    ),
    ("conformed", "`conform`", "`graphs`, `left` (shots without a retime), `refused`, `timeline`"),
    ("curve", "`curve`", "`node`, `file`, `keys`: output frame and source frame, the latter exact, such as `3005/3`"),
    ("conformance", "`packs check`, `packs add`", "the report, check by check"),
    ("bom", "`packs bom`", "`pack`, `sha256`, `file`, `serial`, `changed`, `badge`, `badge_reasons`"),
    ("pinned", "`packs pin`", "`pack`, `sha256`, `changed`"),
    (
        "added",
        "`packs add`",
        "`pack`, `folder`, `on_search_path`; of a model `role`, `found`, `open`, `badge`, `badge_reasons`, `failures`",
    ),
    (
        "exported",
        "`packs export`",
        "`pack`, `to`, `files`, `scale`, `difference`, `half_difference`, `torch`, `license`, `badge`",
    ),
    ("environment", "`env`", "`host`, `variables`: `name`, `value`, `prepend` (to what is there), `why`"),
    ("installed", "`install`", "`host`, `folder`, `files` (count), `state` (`new`, `replaced`, `already`), `then`"),
    ("removed", "`install --undo`", "`host`, `folder`, `files` (count)"),
    ("cache", "`cache show`", "`folder`, `entries`, `bytes`, `budget_bytes`"),
    ("cleared", "`cache clear`", "`folder`, `entries`, `bytes`"),
    ("token", "`tokens add`", "`name`, `roles`, `token`, `expires`"),
    ("access", "`tokens list`", "one for each entry; `kind`, `name`, `roles`, and what else its kind has"),
    ("revoked", "`tokens revoke`", "`name`, `tokens`"),
    ("serving", "`serve`", "`address`, the first of `addresses`"),
    ("bundle", "`submit --to openjd`", "`folder`, `files`, `frames` (count)"),
    ("chunk", "`submit --to command`", "`frames`, `count`, `command` (for a shell), `argv`"),
    (
        "calibrate",
        "`estimate --calibrate`",
        "`seconds` (null: passed over, it would take too long); `frames` of a graph, or `pack`, `width`, `height`",
    ),
    (
        "estimate",
        "`estimate`",
        (
            "`frames`, `done` (found and left out, with `--remaining`), `device`, `machine`, `measured`; `seconds`,"
            " `seconds_per_frame` and `start_seconds`, each low, likely and high; `ram_bytes`, `vram_bytes`,"
            " `disk_bytes`, `disk_bytes_per_frame`; `nodes`: `node`, `kind`, `pack`, `count`, `seconds`, `runs`"
            " measured, `device`"
        ),
    ),
    (
        "saved",
        "`session save`",
        "`file`, `bytes`, `done` (outputs that stand, by quality), `drafts` (in the file), `variables` (with folders)",
    ),
    ("session", "`session show`", "`file`, the whole of `session.json`, and the graph as `document`"),
    ("variable", "`session diff`, `session resume`", "`name`, `folder` (empty: not known here), `by`"),
    (
        "difference",
        "`session diff`, `session resume`",
        (
            "`about` (`version`, `device`, `frames`, `ocio`, `pack`, `input`, `parameter`), `where`, `saved`, `here`,"
            " `nodes`, `frames`"
        ),
    ),
    ("compared", "`session diff`", "`differences`"),
    ("brought", "`session resume`", "`files`, `there`, `stale` (drafts of something else than is here)"),
    ("record", "`provenance show`", "the whole record, field by field"),
    (
        "finding",
        "`provenance verify`",
        "`check` (a stable name), `severity` (`error`, `warning` or `note`), `file`, `frame`, `problem`, `fix`",
    ),
    ("verified", "`provenance verify`", "`frames`, `errors`, `warnings`, `signed`, `trusted`"),
    ("signed", "`provenance sign`", "`file`, `signed` (false: only the definition was written)"),
    ("difference", "`provenance diff`", "`what`, `where`, `before`, `after`"),
    ("compared", "`provenance diff`", "`differences`"),
    ("stage", "`demo`", "`title`, `done`, `total`"),
    ("role", "`demo`", "`role`, `probe`, `headline`, `holds`"),
    ("report", "`demo`", "`file`, `seconds`, `holds`"),
    ("instance", "`publish`", "one for each product: `name`, `version`, `publishDir` and what else integrators read"),
    (
        "finding",
        "`publish`",
        "`name`, `check`, `severity`, `family`, `title`, `file`, `frame`, `frames`, `problem`, `fix`",
    ),
    ("checked", "`publish --check-only`", "`name`, `frames`, `errors`, `warnings`"),
    ("plugins", "`publish`", "`names`, `not_loaded`"),
    ("plugin", "`publish`", "`name`, `label`, `order`, `instance`, `ok`, `problem`, `exit_code`, `seconds`"),
    ("retry", "`publish`", "`problem`: another publish took the version, so all runs again"),
    ("problem", "`publish`", "`problem`: what is wrong with the publish as a whole"),
    ("file", "`review`", "`name`, `file`, `encoder`"),
    ("integrated", "`integrate`", "`name`, `version`, `folder`, `already`, `files`"),
    ("start", "`train`", "`recipe`, `device`, `step`, `steps`, `parameters`, `generator` (its version)"),
    ("resumed", "`train`", "`step`"),
    ("init", "`train --init`", "`file`, `taken` (tensors), `fresh` (names of those that are not in the file)"),
    (
        "step",
        "`train`",
        "`step`, `steps`, `seconds`, `rate`, `drawing` (its share of the time), `loss`, `gradient`, the loss's terms",
    ),
    ("validation", "`train`", "`step`, `seconds`, `best`, `score`, and the task's other figures"),
    ("checkpoint", "`train`", "`step`"),
    ("rollback", "`train`", "`step`, `count`: the loss was not finite, and the last sound weights are taken"),
    ("ending", "`train --stop-after`", "`step`, `steps`: the cool-down begins, to end at `steps`"),
    ("interrupted", "`train`", "`step`: the state is saved"),
    ("skipped", "`train`", "`file`"),
    ("done", "`train`", "`step`, `seconds`, `best_step`, and the figures of the best validation"),
    ("reproduced", "`train`", "`difference` from the score of the shipped weights, `within` the recipe's tolerance"),
    ("graph", "`train --from`", "`file`, `sha256`, `parity`, `tolerance`, `gflop_per_megapixel`"),
    ("written", "`train --from`", "`pack`, `folder`"),
    ("sheet", "`train --sheet`", "`file`, `width`, `height`"),
)
_VARIABLES = (
    ("OCIO", "every command", "The OCIO config where neither `--ocio` nor the graph names one."),
    ("UNDERSTUDY_PACK_PATH", "every command", "Folders of your own packs, joined by `:` (`;` on Windows)."),
    ("UNDERSTUDY_TLS", "clients", "`1`: TLS, with the system's authorities unless others are named; `0`: none."),
    ("UNDERSTUDY_TLS_CA", "clients", "PEM file with the authorities that a service's certificate may be of."),
    ("UNDERSTUDY_TLS_CERT", "clients", "PEM file with the client's own certificate."),
    ("UNDERSTUDY_TLS_KEY", "clients", "PEM file with its key."),
    ("UNDERSTUDY_TLS_NAME", "clients", "Name in the service's certificate, where it is not that of the address."),
    ("UNDERSTUDY_TOKEN", "clients", "Bearer token; sent over TLS, or within this machine, only."),
    ("UNDERSTUDY_TOKEN_FILE", "clients", "File with the token, instead."),
    ("UNDERSTUDY_FARM_SERVER", "`farm task`", "The service of a farm's session; set by `farm start`."),
    ("UNDERSTUDY_USER", "clients", "Whose fair share of a service it is; the login name otherwise."),
    ("UNDERSTUDY_PRIORITY", "clients", "`interactive`, `normal` or `batch`: how soon a service runs the requests."),
    ("XDG_CACHE_HOME", "every render, `serve`", "For digests of files and for what work took; `~/.cache` otherwise."),
    (
        "UNDERSTUDY_COSTS",
        "every render, `serve`",
        "File for what work took on this machine; one per host in the cache folder otherwise; `off`: none.",
    ),
    (
        "UNDERSTUDY_LEDGER",
        "every render",
        "Where digests and content keys of files are kept, on a local disk; the cache folder otherwise.",
    ),
    ("UNDERSTUDY_CACHE", "every render", "Folder of results kept for later renders; the cache folder otherwise."),
    ("UNDERSTUDY_CACHE_GB", "every render", "The most they take, 10^9 bytes; 0: none are kept."),
    ("UNDERSTUDY_POLICY", "every command", "The show policy where no `--policy` names one."),
    ("UNDERSTUDY_ALLOW_REMOTE_PACKS", "every command", "`1`: packs may be played by models on other servers."),
    ("UNDERSTUDY_REMOTE_TOKENS", "every command", "TOML file with the tokens of these servers, by address."),
    ("UNDERSTUDY_DEBUG", "every command", "Any value: an internal error shows its traceback."),
    ("UNDERSTUDY_PUBLISH_SOURCE", "`plugins`", "What to publish, where the context does not say."),
    ("UNDERSTUDY_PUBLISH_ROOT", "`plugins`", "The publish root; without one another integrator is to take the frames."),
    ("UNDERSTUDY_PUBLISH_FINAL", "`plugins`", "Any value: for final delivery."),
    ("UNDERSTUDY_PUBLISH_MOVIES", "`plugins`", "Review movies: `h264`, `prores`, both with a comma, `none`, `auto`."),
    ("UNDERSTUDY_PUBLISH_TRUST", "`plugins`", "PEM file with the authorities whose signers are trusted."),
    ("UNDERSTUDY_PUBLISH_CERTIFICATE", "`plugins`", "PEM file with the chain of who signs review files."),
    ("UNDERSTUDY_PUBLISH_KEY", "`plugins`", "PEM file with the signer's key."),
    ("UNDERSTUDY_PUBLISH_LINK", "`plugins`", "Any value: hard links where they can be made."),
    ("UNDERSTUDY_EXECUTABLE", "`host_bridge`, `plugins`", "The `understudy` command, where it is not on `PATH`."),
)  # fmt: skip


def manifest_page() -> str:
    """``pack.toml``."""
    parts = [_MANIFEST_INTRO + _BY, *_model_tables(MANIFEST)]
    for title, enum in _ENUMS:
        lines = "\n".join(f"- `{member.value}`{_member_text(enum, member)}" for member in enum)
        parts.append(f"## {title}\n\n{_summary(enum)}\n\n{lines}\n")
    return "\n".join(parts)


def graph_page() -> str:
    """The graph document."""
    return "\n".join([_GRAPH_INTRO + _BY, *_model_tables(GRAPH)])


def policy_page() -> str:
    """The show policy."""
    return "\n".join([_POLICY_INTRO + _BY, *_model_tables(POLICY)])


def recipe_page() -> str:
    """The training recipe."""
    tables = (("At the top", recipe.Head), ("`[run]`", recipe.RunSettings), ("`[tolerance]`", recipe.Tolerance))
    return "\n".join([_RECIPE_INTRO + _BY, *_model_tables(tables)])


def record_page() -> str:
    """The provenance record."""
    return "\n".join([_RECORD_INTRO + _BY, *_model_tables(RECORD)])


def session_page() -> str:
    """The session file."""
    return "\n".join([_SESSION_INTRO + _BY, *_model_tables(SESSION)])


def service_page() -> str:
    """The service's configuration."""
    return "\n".join([_SERVICE_INTRO + _BY, *_model_tables(service_sections())])


def service_sections() -> list[tuple[str, type]]:
    """Title and settings of each section of the service's configuration."""
    found: dict[str, Any] = {name: info.annotation for name, info in ServiceConfig.model_fields.items()}
    return [(f"`[{name}]`", section) for name, section in found.items() if is_table(section)]


def metrics_page() -> str:
    """The service's metrics."""
    rows = [
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), text) for name, kind, labels, text in metrics()
    ]
    values = [
        ("`role`", ", ".join(f"`{role.value}`" for role in manifest.Role) + ", `other`"),
        ("`pack`", "an id that the service has, or `other`"),
        ("`outcome`", ", ".join(f"`{outcome}`" for outcome in OUTCOMES)),
        ("`stage`", ", ".join(f"`{stage}`" for stage in STAGES)),
        ("`phase`", "those of Triton's statistics: `queue`, `compute_input`, `compute_infer`, `compute_output`"),
        ("`transport`", ", ".join(f"`{transport}`" for transport in TRANSPORTS)),
        ("`direction`", "`in` (plates), `out` (results)"),
        ("`state`", "`available`, `loading`, `ready`, `draining`, `failed`"),
        ("`error`", "a class of [the error tree](exit-codes.md), `Internal` or `ClientGone`"),
    ]
    tables = _table(("metric", "type", "labels", "meaning"), rows), _table(("label", "values"), values)
    return "\n".join((_METRICS_INTRO + _BY, tables[0], "## Labels\n", tables[1]))


def metrics() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name as it is scraped, type, labels and text of each metric."""
    found = Metrics()
    yield from sorted(found.described)
    for family in found.registry.collect():
        if family.name.startswith("process_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield name, family.type, (), family.documentation


def command_page() -> str:
    """The command line."""
    parts = [_COMMAND_INTRO + _BY]
    for name, command in commands():
        arguments = [param for param in command.params if param.param_type_name == "argument"]
        usage = " ".join([name, *(_argument(param) for param in arguments), "[OPTIONS]"])
        options = _table(("option", "default", "meaning"), [_option_row(param) for param in command.params])
        parts.append(f"## {name}\n\n{_prose(command.help)}\n\n```\n{usage}\n```\n\n{options}")
    return "\n".join(parts)


def channels_page() -> str:
    """Channel kinds."""
    kinds = [(f"`{kind.value}`", _member_text(ChannelKind, kind)[2:]) for kind in ChannelKind]
    told = [(f"`{name}`", f"`{group.kind.value}`") for name, group in _examples()]
    tables = _table(("kind", "meaning"), kinds), _table(("channel", "kind"), told)
    return "\n".join((_CHANNELS_INTRO + _BY, tables[0], _NAMES_INTRO, tables[1]))


def events_page() -> str:
    """Events."""
    others = [(f"`{name}`", *rest) for name, *rest in _OTHER_EVENTS]
    parts = (
        _EVENTS_INTRO + _BY,
        _RENDER_INTRO + _table(("event", "further keys"), _event_rows()),
        "## Of other commands\n\n" + _table(("event", "command", "further keys"), others),
        "An error ends every command the same way: a sentence on stderr, and with `--json` an `error` event.\n",
    )
    return "\n".join(parts)


def exit_codes_page() -> str:
    """Exit codes."""
    rows = sorted(_error_rows(UnderstudyError), key=lambda row: row[0])
    codes = [-1, *(code for code, _, _ in rows)]
    shown = [
        ("" if code == before else str(code), f"`{name}`", text)
        for before, (code, name, text) in zip(codes, rows, strict=False)
    ]
    return "\n".join((_EXIT_INTRO + _BY, _table(("code", "error", "meaning"), shown), _EXIT_END))


def environment_page() -> str:
    """Environment variables."""
    rows = [(f"`{name}`", *rest) for name, *rest in _VARIABLES]
    intro = "# Environment variables\n\nAll that Understudy itself reads from the environment.\n\n"
    return intro + _BY + "\n" + _table(("variable", "read by", "meaning"), rows)


def publish_checks_page() -> str:
    """The checks of a publish."""
    parts = [_CHECKS_INTRO + _BY]
    for family in dict.fromkeys(check.family for check in CHECKS):
        rows = [
            (f"`{one.name}`", one.severity, one.title, one.catches, one.fix) for one in CHECKS if one.family == family
        ]
        parts.append(f"## {family}\n\n" + _table(("check", "severity", "the artist reads", "finds", "to do"), rows))
    factor, stops = f"{FLICKER_FACTOR:g}", f"{FLICKER_STOPS:g}"
    parts.append("## Flicker\n\n" + " ".join((inspect.getdoc(flicker) or "").split("Args:")[0].split()) + "\n")
    parts.append(f"It is told above {factor} times the plate's and {stops} stops more.\n")
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "pack-manifest.md": manifest_page,
    "graph.md": graph_page,
    "policy.md": policy_page,
    "record.md": record_page,
    "session.md": session_page,
    "recipe.md": recipe_page,
    "service-config.md": service_page,
    "command-line.md": command_page,
    "channel-kinds.md": channels_page,
    "events.md": events_page,
    "exit-codes.md": exit_codes_page,
    "environment.md": environment_page,
    "publish-checks.md": publish_checks_page,
    "metrics.md": metrics_page,
}


def descriptions(model: type) -> dict[str, str]:
    """Field name to its text in the ``Attributes:`` of the class docstring, or of those it inherits from."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not is_table(base):
            continue
        name = ""
        _, _, section = inspect.cleandoc(base.__dict__.get("__doc__") or "").partition("Attributes:\n")
        for line in section.splitlines():
            if match := _ATTRIBUTE.match(line.strip()) if line.startswith("    ") and line[4:5] != " " else None:
                name = match[1]
                found[name] = match[2]
            elif name and line.strip():
                found[name] += " " + line.strip()
    return found


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        for sub, inner in getattr(command, "commands", {"": command}).items():
            yield f"understudy {name} {sub}".strip(), inner


def _model_tables(models: Sequence[tuple[str, type]]) -> Iterator[str]:
    for title, model in models:
        rows = [_field_row(model, name, info) for name, info in _fields(model).items() if name != "type"]
        if model is manifest.OptionSpec:
            rows.insert(0, _field_row(model, "type", manifest.OptionSpec.model_fields["type"]))
        yield f"## {title}\n\n{_summary(model)}\n\n" + _table(("field", "type", "default", "meaning"), rows)


def _fields(model: Any) -> dict[str, FieldInfo]:
    if issubclass(model, BaseModel):
        return model.model_fields
    hints = get_type_hints(model, include_extras=True)
    unset = dataclasses.MISSING
    defaults = {f.name: PydanticUndefined if f.default is unset else f.default for f in dataclasses.fields(model)}
    return {name: FieldInfo.from_annotated_attribute(hints[name], value) for name, value in defaults.items()}


def _field_row(model: type, name: str, info: FieldInfo) -> tuple[str, ...]:
    kind = _kind(info.annotation) + _bounds(info)
    return f"`{info.alias or name}`", _markdown(kind), _default(info), _markdown(descriptions(model)[name])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _summary(thing: type) -> str:
    return _markdown(inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].replace("\n", " "))


def _prose(text: str) -> str:
    return "\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def _markdown(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _kind(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in (manifest.OptionValue, Any):
        return "value"
    if origin is Annotated:
        return _kind(parts[0])
    if origin is Literal:
        return " or ".join(f"`{part}`" if part != "" else "none" for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(_kind(part) for part in parts if part is not type(None))
    if origin is tuple:
        if (inner := _kind(parts[0])) == "table":
            return "tables"
        return f"list of {inner}" if parts[-1] is Ellipsis else f"{len(parts)} x {inner}"
    if origin is dict:
        return "tables by name" if "table" in (inner := _kind(parts[1])) else f"{inner} by name"
    if annotation is ChannelKind:
        return "[kind](channel-kinds.md)"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    names = {
        str: "text",
        Path: "path",
        int: "whole number",
        float: "number",
        bool: "true or false",
        Fraction: "number or fraction",
        dt.date: "date",
    }
    return names[annotation]


def _bounds(info: FieldInfo) -> str:
    names = ("ge", "gt", "le", "lt")
    found = {name: getattr(part, name) for part in info.metadata for name in names if hasattr(part, name)}
    low = f"{found['ge']}" if "ge" in found else f"over {found['gt']}" if "gt" in found else ""
    high = f"{found['le']}" if "le" in found else f"under {found['lt']}" if "lt" in found else ""
    limits = f"{low} to {high}" if low and high else f"{low} or more" if "ge" in found else low or high
    pattern = next((part.pattern for part in info.metadata if getattr(part, "pattern", None)), "")
    return (f", {limits}" if limits else "") + (f", `{pattern}`" if pattern else "")


def _default(info: FieldInfo) -> str:
    if info.default is PydanticUndefined:
        return "required"
    if info.default in ("", (), {}, None):
        return "none"
    if isinstance(info.default, BaseModel):
        return "its defaults"
    value = list(info.default) if isinstance(info.default, tuple) else info.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`".replace("'", '"')


def _member_text(enum: type[Enum], member: Enum) -> str:
    """The docstring that follows a member in the source, which Python itself does not keep."""
    match = re.search(rf'\b{member.name} = [^\n]*\n\s+"""(.*?)"""', inspect.getsource(enum), re.DOTALL)
    return ": " + _markdown(" ".join(match[1].split())) if match else ""


def _examples() -> Iterator[tuple[str, Any]]:
    for name in _CHANNEL_EXAMPLES:
        layer, dot, last = name.rpartition(".")
        family = ("R", "G", "B") if last in ("R", "G", "B") else (last,)
        yield name, classify([f"{layer}{dot}{part}" for part in family])[0]


def _event_rows() -> list[tuple[str, str]]:
    """The rows of the table in the docstring of ``events.Event``."""
    tree = ast.parse(inspect.getsource(events)).body
    texts = [node.value.value for node in tree if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    table = next(text for text in texts if isinstance(text, str) and "====" in text).split("\n")
    width = next(line for line in table if line.startswith("=")).index(" ")
    rows: list[tuple[str, str]] = []
    for line in table[[at for at, one in enumerate(table) if one.startswith("=")][1] + 1 :]:
        name, text = line[:width].strip(), line[width:].strip()
        if line.startswith("="):
            break
        if name:
            rows.append((f"`{name}`", _markdown(text)))
        else:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {_markdown(text)}")
    return rows


def _error_rows(error: type[UnderstudyError]) -> Iterator[tuple[int, str, str]]:
    yield error.exit_code, error.__name__, _summary(error)
    for inner in error.__subclasses__():
        if inner.__module__ == error.__module__:  # a layer's own kinds are for that layer
            yield from _error_rows(inner)


def _argument(param: Any) -> str:
    name = param.metavar or param.name.upper()
    return (name if param.required else f"[{name}]") + ("..." if param.nargs == -1 else "")


def _option_row(param: Any) -> tuple[str, str, str]:
    meaning = _markdown(" ".join((param.help or "").split()))
    if param.param_type_name == "argument":
        default = "required" if param.required else f"`{param.default}`"
        return f"`{_argument(param)}`", default, meaning
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    value = "" if param.is_flag else f" {param.metavar or param.name.rpartition('_')[2].upper()}"
    default = "on" if param.default is True else "" if param.default in (None, False, "", []) else f"`{param.default}`"
    return names + value, default, meaning


if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
