# SPDX-License-Identifier: Apache-2.0
"""Rights records: valid CycloneDX for any pack, the same bytes for the same pack, and every lie found."""

import copy
import hashlib
import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.schema import _res as schemas
from cyclonedx.validation.json import JsonStrictValidator

from understudy.packs import discover, install_pack
from understudy.packs.bom import BOM_NAME, bom_text, pack_bom, read_bom, record_state, serial_number, write_bom
from understudy.packs.bom_shape import REQUIRED, SHAPES, shape_problems
from understudy.packs.licenses import COMMERCIAL, NON_COMMERCIAL
from understudy.packs.pack import Pack, open_pack
from understudy.share_root import share_root
from unit.packs.pack_folders import make_pack, write_record

SHIPPED = sorted((share_root() / "models").glob("*/pack.toml"))
CARD = """\
# Mine
## Measured
| | near | far |
|---|---:|:--|
| error, px | 0.5 | - |

| PSNR, dB | still |
|---|---|
| with `this` | 40 |
## Limits
It fails
on water.

- and on fire
## License
"""
RICH = """\
[rights]
people = "with-consent"
generative = "yes"
network = "no"
retains_inputs = "no"
trains_on_inputs = "no"
supplier = "Acme \\"VFX\\""
architecture = "cnn"
use_cases = ["retime"]
evidence = ["LICENSE.txt", "https://example.org/a b"]
reviewed_by = "Jo"
reviewed_on = 2026-11-02
[[rights.datasets]]
name = "Data"
version = "1"
license = "CC0-1.0"
owner = "Acme"
url = "https://example.org/data set"
people = "with-consent"
[[rights.datasets]]
name = "Data"
license = "MIT OR LicenseRef-X"
[[rights.ancestors]]
name = "base"
version = "2"
license = "MIT"
"""


@pytest.fixture(scope="module")
def validator() -> JsonStrictValidator:
    return JsonStrictValidator(SchemaVersion.V1_6)


def rich(folder: Path, *edit: tuple[str, str]) -> Pack:
    trained = ('basis = "none"\nevidence = "not-applicable"\n', f'basis = "synthetic"\nevidence = "audited"\n{RICH}')
    folder.parent.mkdir(parents=True, exist_ok=True)
    make_pack(folder, edit=(*edit,), pin=True)
    (folder / "LICENSE.txt").write_text("terms")
    (folder / "README.md").write_text(CARD)
    text = (folder / "pack.toml").read_text()
    assert trained[0] in text
    (folder / "pack.toml").write_text(text.replace(*trained))
    return open_pack(folder)


def bom_of(pack: Pack):
    return pack_bom(pack.manifest, pack.folder, pack.digest)


LICENSES = [
    ("Apache-2.0", "Apache-2.0"),
    ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
    ("MIT OR Apache-2.0", "MIT"),
    ("NOASSERTION", "LicenseRef-Acme"),
    ("JasPer-2.0", "Apache-2.0 WITH LLVM-exception"),
]


@pytest.mark.parametrize(("declared", "concluded"), LICENSES)
@pytest.mark.parametrize("make", [rich, lambda folder, *edit: open_pack(make_pack(folder, edit=edit))])
def test_any_pack_gives_a_valid_record(tmp_path, validator, make, declared, concluded):
    edit = (
        ('declared = "Apache-2.0"', f'declared = "{declared}"'),
        ('concluded = "Apache-2.0"', f'concluded = "{concluded}"'),
    )
    pack = make(tmp_path / "p", *edit)
    text = bom_text(pack.manifest, pack.folder, pack.digest)
    assert validator.validate_str(text) is None
    assert not list(shape_problems(json.loads(text)))


def test_a_rich_record_holds_what_manifest_card_and_files_say(tmp_path):
    pack = rich(tmp_path / "p")
    bom = bom_of(pack)
    model, *others = bom["components"]
    properties = {entry["name"]: entry["value"] for entry in model["properties"]}
    assert bom["metadata"] == {"timestamp": "2026-11-02T00:00:00Z", "authors": [{"name": "Jo"}]}
    assert bom["serialNumber"] == serial_number(pack.digest)
    assert model["purl"] == "pkg:generic/mine@1.0.0"
    assert model["licenses"][1] == {"license": {"id": "Apache-2.0", "acknowledgement": "concluded"}}
    assert properties["understudy:license.commercialUse"] == "allowed"
    assert properties["understudy:training.basis"] == "synthetic"
    assert properties["understudy:training.containsPeople"] == "with-consent"
    assert properties["understudy:output.generative"] == "true"
    assert properties["understudy:network.required"] == "false"
    assert properties["understudy:retainsInputs"] == "false"
    assert {part["name"]: part["hashes"][0]["content"] for part in others if part["type"] == "file"} == {
        "adapter.py": pack.manifest.runtime.sha256,
        "README.md": _sha256(pack.folder / "README.md"),
        "LICENSE.txt": _sha256(pack.folder / "LICENSE.txt"),
    }
    card = model["modelCard"]
    assert card["considerations"]["technicalLimitations"] == ["It fails on water.", "and on fire"]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "error, px", "value": "0.5", "slice": "near"},
        {"type": "PSNR, dB", "value": "40", "slice": "still, with this"},
    ]
    assert card["modelParameters"]["datasets"] == [{"ref": "data:0"}, {"ref": "data:1"}]
    assert model["pedigree"]["ancestors"][0]["name"] == "base"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_nothing_is_flattered_where_nothing_is_said(tmp_path):
    pack = open_pack(make_pack(tmp_path / "p", edit=(('basis = "none"', 'basis = "synthetic"'),)))
    properties = {entry["name"]: entry["value"] for entry in bom_of(pack)["components"][0]["properties"]}
    unknown = ("training.containsPeople", "output.generative", "network.required", "retainsInputs", "trainsOnInputs")
    assert [properties[f"understudy:{name}"] for name in unknown] == ["unknown"] * 5


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_shipped_records_are_valid_and_written_from_their_packs(path, validator):
    pack = open_pack(path.parent)
    text = (path.parent / BOM_NAME).read_text(encoding="utf-8")
    assert validator.validate_str(text) is None
    assert text == bom_text(pack.manifest, pack.folder, pack.digest), "run: understudy packs bom"
    assert pack.rights_record == "agrees"
    # That a learned pack's data was drawn is our own word: nobody audited it.
    badge = "green" if pack.manifest.training.basis == "none" else "amber"
    assert pack.info().badge == badge, pack.info().badge_reasons


def test_the_same_pack_gives_the_same_bytes_anywhere_and_the_digest_does_not_cover_them(tmp_path):
    first, second = rich(tmp_path / "a" / "p"), rich(tmp_path / "b" / "q")
    texts = [bom_text(pack.manifest, pack.folder, pack.digest) for pack in (first, second)]
    assert texts[0] == texts[1]
    write_bom(first.folder / BOM_NAME, texts[0])
    assert open_pack(first.folder).digest == first.digest
    assert bom_text(first.manifest, first.folder, first.digest) == texts[0]


def _flip(document, path):
    """The document with the value at a path changed."""
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    value = inner[path[-1]]
    inner[path[-1]] = value + 1 if isinstance(value, int) else f"{value}x"
    return changed


def _leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    else:
        yield path


def test_every_changed_value_is_found(tmp_path):
    pack = rich(tmp_path / "p")
    document = bom_of(pack)
    path = pack.folder / BOM_NAME

    def state(found) -> str:
        path.write_text(json.dumps(found))
        return record_state(pack.manifest, pack.folder, pack.digest)

    assert state(document) == "agrees"
    leaves = list(_leaves(document))
    assert len(leaves) > 80
    assert [leaf for leaf in leaves if state(_flip(document, leaf)) != "differs"] == []
    assert state({**document, "annotations": []}) == "agrees"
    assert state({**document, "properties": [{"name": "understudy:role", "value": "motion"}]}) == "differs"
    extra = copy.deepcopy(document)
    extra["components"][0]["properties"].append({"name": "understudy:output.generative", "value": "false"})
    assert state(extra) == "differs"


def test_a_changed_file_is_found(tmp_path):
    pack = rich(tmp_path / "p")
    write_bom(pack.folder / BOM_NAME, bom_text(pack.manifest, pack.folder, pack.digest))
    assert open_pack(pack.folder).rights_record == "agrees"
    (pack.folder / "LICENSE.txt").write_text("other terms")
    assert open_pack(pack.folder).rights_record == "differs"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"bomFormat": NaN}'])
def test_a_record_that_is_none_differs(tmp_path, data):
    pack = open_pack(make_pack(tmp_path / "p"))
    assert pack.rights_record == "missing"
    (pack.folder / BOM_NAME).write_bytes(data)
    assert open_pack(pack.folder).rights_record == "differs"
    assert open_pack(pack.folder).info().badge == "red"


def test_a_record_that_is_a_folder_or_a_link_to_nowhere(tmp_path):
    pack = open_pack(make_pack(tmp_path / "p"))
    (pack.folder / BOM_NAME).mkdir()
    assert record_state(pack.manifest, pack.folder, pack.digest) == "differs"
    (pack.folder / BOM_NAME).rmdir()
    (pack.folder / BOM_NAME).symlink_to("nowhere")
    assert record_state(pack.manifest, pack.folder, pack.digest) == "missing"
    with pytest.raises(FileNotFoundError):
        read_bom(pack.folder / BOM_NAME)


BROKEN = [
    (lambda bom: bom.update(bomFormat="SPDX"), "bomFormat"),
    (lambda bom: bom.update(specVersion="1.4"), "specVersion"),
    (lambda bom: bom.update(serialNumber="1"), "serialNumber"),
    (lambda bom: bom.update(version=0), "version"),
    (lambda bom: bom.update(version="1"), "version"),
    (lambda bom: bom.update(more=1), "more"),
    (lambda bom: bom.update(components=[]), "components"),
    (lambda bom: bom.update(components={}), "components"),
    (lambda bom: bom.pop("components"), "components"),
    (lambda bom: bom["components"][0].pop("type"), "components[0].type"),
    (lambda bom: bom["components"][0].update(type="model"), "components[0].type"),
    (lambda bom: bom["components"][0].update(name=3), "components[0].name"),
    (lambda bom: bom["components"][0]["hashes"][0].update(alg="SHA-3"), "components[0].hashes[0].alg"),
    (lambda bom: bom["components"][0]["hashes"][0].update(content="00"), "components[0].hashes[0].content"),
    (lambda bom: bom["components"][0]["licenses"][0]["license"].update(name="X"), "components[0].licenses[0].license"),
    (lambda bom: bom["components"][0]["licenses"][0].update(expression="MIT"), "components[0].licenses[0]"),
    (lambda bom: bom["components"][0]["licenses"].append({"expression": "MIT"}), "components[0].licenses"),
    (lambda bom: bom["components"][0]["modelCard"].update(taks="x"), "components[0].modelCard.taks"),
    (lambda bom: bom["components"][0]["modelCard"].update(considerations=[]), "components[0].modelCard.considerations"),
    (lambda bom: bom["metadata"].update(timestamp="yesterday"), "metadata.timestamp"),
]


@pytest.mark.parametrize(("harm", "field"), BROKEN, ids=[f"{n}-{field}" for n, (_, field) in enumerate(BROKEN)])
def test_a_broken_shape_is_named_and_is_invalid_to_the_published_schema_too(tmp_path, validator, harm, field):
    bom = bom_of(rich(tmp_path / "p"))
    harm(bom)
    assert field in {problem.field for problem in shape_problems(bom)}
    if field not in {"components", "specVersion"}:  # which CycloneDX leaves open
        assert validator.validate_str(json.dumps(bom)) is not None


def test_references_must_be_there_and_unique(tmp_path):
    bom = bom_of(rich(tmp_path / "p"))
    bom["components"].append(bom["components"][1])
    bom["dependencies"][0]["dependsOn"].append("gone")
    assert [problem.field for problem in shape_problems(bom)] == [
        f"components[{len(bom['components']) - 1}].bom-ref",
        "dependencies[0]",
    ]


def test_tables_are_those_of_the_published_schema():
    folder = Path(schemas.__file__).parent
    schema = json.loads((folder / "bom-1.6.SNAPSHOT.schema.json").read_text(encoding="utf-8"))
    inner = schema["definitions"]
    names = {
        "contact": "organizationalContact",
        "organization": "organizationalEntity",
        "format": "inputOutputMLParameters",
        "metric": "performanceMetric",
        "reference": "externalReference",
        "data": "componentData",
    }
    assert set(SHAPES["bom"]) == set(schema["properties"])
    card = inner["modelCard"]["properties"]
    nested = {
        "pedigree": inner["component"]["properties"]["pedigree"],
        **{name: card[name] for name in ("modelParameters", "quantitativeAnalysis", "considerations")},
    }
    for kind, fields in SHAPES.items():
        if kind in {"bom", "terms"}:
            continue
        found = nested.get(kind) or inner[names.get(kind, kind)]
        assert set(fields) == set(found["properties"]), kind
        assert set(REQUIRED.get(kind, ())) == set(found.get("required", ())), kind
    types = SHAPES["component"]["type"].words
    assert list(types) == inner["component"]["properties"]["type"]["enum"]
    assert list(SHAPES["hash"]["alg"].words) == inner["hash-alg"]["enum"]
    known = json.loads((folder / "spdx.SNAPSHOT.schema.json").read_text(encoding="utf-8"))["enum"]
    assert set(COMMERCIAL) | set(NON_COMMERCIAL) <= set(known)


def test_a_copy_of_a_pack_has_its_record_and_all_that_the_record_lists(tmp_path):
    pack = rich(tmp_path / "p")
    write_record(pack.folder)
    (pack.folder / "notes.txt").write_text("not of the pack")
    copied = install_pack(open_pack(pack.folder), tmp_path / "packs", discover((tmp_path / "none",)))
    assert copied.rights_record == "agrees"
    names = {path.name for path in copied.folder.iterdir()}
    assert names == {"pack.toml", "adapter.py", "README.md", "LICENSE.txt", BOM_NAME}
