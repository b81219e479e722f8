# SPDX-License-Identifier: Apache-2.0
"""The matrix: what goes wrong with publishes, and which check is meant for it. One row for each fault."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from unit.publish import breaking as b
from unit.publish.breaking import FIRST, Shot


@dataclass(frozen=True)
class Fault:
    """One faulty publish.

    Attributes:
        name: What was done.
        check: The check that must find it, and no other.
        do: Does it.
        says: What the sentence must hold.
        final: It is published as final.
        policy: The show's policy, TOML beside the head.
        source: What is published.
        anchors: Whose signers are trusted: ``ours``, ``others`` or nobody's.
    """

    name: str
    check: str
    do: Callable[[Shot], object]
    says: str
    final: bool = False
    policy: str = ""
    source: str = "out"
    anchors: str = "ours"


FAULTS: tuple[Fault, ...] = (
    # frames
    Fault("a frame is missing", "frames-missing", lambda s: s.frame(1004).unlink(), "frame 1004 is not there"),
    Fault("the first is missing", "frames-missing", lambda s: s.frame(FIRST).unlink(), "frame 1001 is not there"),
    Fault("the last two are missing", "frames-missing", lambda s: b.remove(s, 1008, 1009), "frames 1008-1009 are not there"),
    Fault("a frame twice", "frames-duplicate", lambda s: shutil.copy(s.frame(1003), s.out / "sh010.01003.exr"), "frame 1003 is there twice, such as sh010.01003.exr and sh010.1003.exr"),
    Fault("wrong padding", "frames-padding", lambda s: s.frame(1003).rename(s.out / "sh010.01003.exr"), "sh010.01003.exr must be sh010.1003.exr"),
    Fault("zero bytes", "frames-empty", lambda s: s.frame(1005).write_bytes(b""), "frame 1005 is empty"),
    Fault("truncated", "frames-unreadable", lambda s: s.frame(1005).write_bytes(s.frame(1005).read_bytes()[:-700]), "cut short"),
    Fault("no picture", "frames-unreadable", lambda s: s.frame(1005).write_text("not a picture"), ""),
    Fault("a broken header", "frames-unreadable", lambda s: s.frame(1005).write_bytes(s.frame(1005).read_bytes()[:40]), ""),
    Fault("NaN", "frames-not-finite", lambda s: b.write_raw(s.frame(1002), np.nan), "frame 1002 is not made of numbers alone: 1 NaN samples"),
    Fault("infinity", "frames-not-finite", lambda s: b.write_raw(s.frame(1002), np.inf), "1 infinite samples"),
    Fault("minus infinity", "frames-not-finite", lambda s: b.write_raw(s.frame(1002), -np.inf), "1 infinite samples"),
    # color
    Fault("another space in a header", "colorspace-header", lambda s: s.change_frame(1003, lambda p: replace(p, colorspace="Linear Rec.709 (sRGB)")), "the header of frame 1003 says Linear Rec.709 (sRGB), and the record says ACEScg"),
    Fault("another space in all headers", "colorspace-header", lambda s: b.relabel(s, "ACES2065-1"), "the header of frames 1001-1009 says ACES2065-1"),
    Fault("a space that the show does not take", "colorspace-allowed", lambda s: None, "the frames are in ACEScg, and the show takes ACES2065-1", policy='[publish]\ncolorspaces = ["ACES2065-1"]'),
    Fault("another OCIO config", "ocio-config", lambda s: None, "and the show's is 1234", policy='[publish]\nocio_cache_id = "1234"'),
    # picture
    Fault("another display window", "window-changed", lambda s: s.change_frame(1006, b.cropped), "the display window of frame 1006 is 60x40"),
    Fault("all cropped, as rendered", "window-changed", lambda s: s.render_so(lambda _n, p: b.cropped(p)), "the display window of frames 1001-1009 is 60x40"),
    Fault("another pixel aspect", "window-changed", lambda s: s.change_frame(1006, lambda p: replace(p, pixel_aspect=2.0)), "of pixels 2 wide"),
    Fault("a data window beyond the plate", "window-changed", lambda s: s.change_frame(1002, b.grown), "the data window of frame 1002 is not the plate's"),
    Fault("a channel is missing", "channels-changed", lambda s: s.change_frame(1002, b.lose("confidence.Y")), "frame 1002 has no confidence.Y"),
    Fault("alpha is missing in one", "channels-changed", lambda s: s.change_frame(1002, b.lose("A")), "frame 1002 has no A"),
    Fault("alpha is lost", "alpha-lost", lambda s: s.render_so(lambda _n, p: b.lose("A")(p)), "the plate has an alpha, and frames 1001-1009 have none"),
    Fault("unpremultiplied", "premultiplication-changed", lambda s: s.render_so(b.unpremultiplied), "unpremultiplied, it seems"),
    Fault("premultiplied twice", "premultiplication-changed", lambda s: s.render_so(b.premultiplied_twice), "premultiplied twice, it seems"),
    # record
    Fault("no record", "record-missing", lambda s: s.record_path.unlink(), "no record of sh010.%04d.exr"),
    Fault("a cut record", "record-unreadable", lambda s: s.record_path.write_bytes(s.record_path.read_bytes()[:500]), "is no JSON"),
    Fault("a record of another schema", "record-unreadable", lambda s: b.edit_json(s.record_path, "schema", "understudy.record/9"), "is no record of schema understudy.record/1"),
    Fault("a render under way", "render-unfinished", lambda s: s.rewrite(lambda r: r.model_copy(update={"pending": {"abc": "1010-1012"}}), sign=False), "a render is under way or was killed", anchors=""),
    Fault("the plate changed", "record-stale", b.plate_changed, "frame 1002 of"),
    Fault("the graph changed", "record-stale", b.graph_changed, "frames 1001-1009 are of another state of the graph", source="slow.yaml"),
    Fault("another shot's record", "record-swapped", b.swap, "belongs to others"),
    Fault("an edited record", "record-altered", lambda s: b.edit_json(s.record_path, "updated", "2020-01-01T00:00:00Z"), "is not the record that the hash list was written for"),
    Fault("no hash list", "list-missing", lambda s: shutil.rmtree(s.out / "ascmhl"), "there is no hash list"),
    Fault("a damaged hash list", "list-altered", lambda s: b.cut(next((s.out / "ascmhl").glob("*.mhl")), 300), ""),
    Fault("another file as the hash list", "list-altered", b.replace_list(lambda _: b"<x/>"), "it holds <x> of no namespace, not <hashlist> of urn:ASC:MHL:v2.0"),
    Fault("a hash list of another namespace", "list-altered", b.replace_list(lambda c: c.replace(b"MHL:v2.0", b"MHL:v1.1")), "of urn:ASC:MHL:v1.1, not <hashlist> of urn:ASC:MHL:v2.0"),
    Fault("another program's hash list", "list-foreign", b.replace_list(lambda c: c.replace(b">understudy<", b">silverstack<")), "the hash list was written by silverstack, and tells nothing of this render"),
    Fault("another generation's hash in the chain", "list-altered", b.in_chain(b"<c4>c4", b"<c4>c5"), "is not the one that its chain names"),
    Fault("a chain of another namespace", "list-altered", b.in_chain(b"DIRECTORY:v2.0", b"DIRECTORY:v1.0"), "not <ascmhldirectory> of"),
    Fault("a chain without its list", "list-altered", lambda s: next((s.out / "ascmhl").glob("*.mhl")).unlink(), "that the chain names is missing"),
    Fault("a list without its chain", "list-altered", lambda s: (s.out / "ascmhl" / "ascmhl_chain.xml").unlink(), "the chain file of the hash list is missing"),
    Fault("a list beside the chain", "list-altered", lambda s: (s.out / "ascmhl" / "0002_x_2026-01-01_000000Z.mhl").write_bytes(b"<x/>"), "is a hash list that the chain does not name"),
    Fault("a frame that nobody recorded", "frame-unrecorded", lambda s: shutil.copy(s.frame(1009), s.frame(1010)), "frame 1010: is not on record"),
    Fault("a frame of another version", "frame-foreign", b.other_job, "frame 1004: was written by another job"),
    Fault("an edited pixel", "frame-altered", lambda s: s.change_frame(1002, b.edited(b.put(0.5))), "frame 1002: its pixels are not those that were recorded"),
    Fault("an edited pixel of a source frame", "frame-altered", lambda s: s.change_frame(1003, b.edited(b.put(0.5))), "frame 1003: its pixels"),
    Fault("an edited header", "frame-header", lambda s: s.change_frame(1002, lambda p: p, reelName="B777"), "frame 1002: its header was edited"),
    Fault("recompressed", "frame-recompressed", lambda s: s.change_frame(1002, lambda p: replace(p, storage=replace(p.storage, compression="piz"))), "pixels are the same"),
    Fault("unsigned", "unsigned", b.remove_signature, "no signature lies beside the record"),
    Fault("unsigned, where the show signs", "unsigned", b.remove_signature, "no signature", policy="[publish]\nsignature_required = true"),
    Fault("the signature is gone", "signature-missing", lambda s: next(s.out.glob("*.c2pa")).unlink(), "says that it is signed"),
    Fault("a damaged signature", "signature-broken", lambda s: next(s.out.glob("*.c2pa")).write_bytes(b"\0" * 900), "is no sound C2PA manifest"),
    Fault("the signature of another record", "signature-broken", b.sign_another, "does not hold for the record"),
    Fault("an untrusted signer", "signature-untrusted", lambda s: None, "no authority that you trust vouches for", anchors="others"),
    Fault("nobody said whom to trust", "signature-untrusted", lambda s: None, "nobody said whom to trust", anchors=""),
    # packs
    Fault("a denied pack", "pack-not-allowed", lambda s: None, '"flow-projection" is on its list of packs that are denied', policy='[packs]\ndeny = ["flow-projection"]'),
    Fault("a pack that is not listed", "pack-not-allowed", lambda s: None, "it is not on its list of packs that are allowed", policy='[packs]\nallow = ["dis-good"]'),
    Fault("other weights", "pack-digest", lambda s: None, "with the digest aaaaaaaaaaaa", policy='[packs]\nallow = ["dis-good", "flow-projection#aaaaaaaaaaaa"]'),
    Fault("a non-commercial license", "pack-license", b.packs(license_concluded="CC-BY-NC-4.0"), "CC-BY-NC-4.0, does not allow commercial use"),
    Fault("no license", "pack-license", b.packs(license_concluded="NOASSERTION"), "nobody concluded under which license"),
    Fault("a license that the show denies", "pack-license", b.packs(license_concluded="GPL-3.0-only"), "does not take the license of flow-projection", policy='[packs]\ndeny_licenses = ["GPL-3.0-only"]'),
    Fault("a badge below the show's", "pack-not-allowed", b.packs(badge="amber", badge_reasons=("its evidence is the author's word",)), "its badge is amber (its evidence is the author's word), and green is asked", policy='[packs]\nminimum_badge = "green"'),
    Fault("a generative pack", "pack-not-allowed", b.packs(generative="yes"), "it invents content", policy="[packs]\ngenerative = false"),
    Fault("a pack that does not say whether it invents", "pack-not-allowed", b.packs(generative="unknown"), "it does not say that it invents nothing", policy="[packs]\ngenerative = false"),
    Fault("evidence that the show does not take", "pack-not-allowed", b.packs(training_evidence="self-declared"), "the evidence of its training basis is self-declared", policy='[record]\nrequired_evidence = ["audited", "not-applicable"]'),
    Fault("mixed versions", "packs-mixed", b.mixed, "frame 1006 by flow-projection@2."),
    Fault("unknown training", "training-unknown", b.packs(training_basis="unknown"), "nobody said what flow-projection"),
    Fault("a pack without its rights record", "pack-record-missing", b.lose_bom, "the record holds no rights record of flow-projection@"),
    Fault("another pack's rights record", "record-inconsistent", b.swap_bom, "in it is another one than it names"),
    # rights
    Fault("talent, generative, no consent", "consent-missing", b.both(b.rights(talent=True), b.operation("interpolate", generative="yes")), "no consent is named"),
    Fault("talent, perhaps generative, no consent", "consent-missing", b.both(b.rights(talent=True), b.operation("upscale", generative="unknown")), "a pack does not say that it invents nothing, and no consent"),
    Fault("a person relit, no consent", "consent-missing", b.both(b.rights(talent=True), b.operation("relight")), "the light on them was changed, and no consent is named"),
    Fault("final without approval", "approval-missing", lambda s: None, "this is temporary material in a final publish", final=True),
    Fault("declared final without approval", "approval-missing", b.both(b.rights(use="final")), "this is final material"),
    Fault("a draft in a final publish", "draft-in-final", b.both(b.rights(approval="ABC-1"), b.job(draft=True)), "are drafts", final=True),
    Fault("nobody said who is in it", "talent-unknown", b.both(b.rights(talent=None), b.operation("relight")), "nobody said whether a person"),
    Fault("a person relit", "talent-relight", b.both(b.rights(talent=True, consent=("SAG-77",)), b.operation("relight")), "the consents named are SAG-77"),
    # quality
    Fault("many doubtful frames", "confidence-low", b.doubtful, "have a confidence below 0.5, down to 0.20"),
    Fault("flicker", "flicker", lambda s: s.render_so(b.flickering), "the light jumps by"),
    Fault("a retime that touches the plate", "retime-frames", lambda s: s.render_so(b.only_source_changed), "frame 1003 is said to be of the plate"),
)  # fmt: skip
