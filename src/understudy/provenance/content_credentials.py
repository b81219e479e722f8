# SPDX-License-Identifier: Apache-2.0
"""C2PA manifests by c2pa-python (the extra ``publish``): signing, embedding and reading. Nothing here asks a network.

A time-stamping authority is asked only where the caller names one.
"""

import base64
import binascii
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from understudy.contracts.errors import UnavailableError, UnreadableFileError, UnsupportedFileError, UsageError
from understudy.frames.atomic import atomic
from understudy.private_file import require_private
from understudy.provenance.certificate import PURPOSES, problem_of

EMBEDDABLE = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
}
"""Extensions of the files that a manifest can be put into, and their media types."""

_ALGORITHMS = (
    (bytes.fromhex("06082a8648ce3d030107"), "es256"),
    (bytes.fromhex("06052b81040022"), "es384"),
    (bytes.fromhex("06052b81040023"), "es512"),
    (bytes.fromhex("06032b6570"), "ed25519"),
    (bytes.fromhex("06092a864886f70d010101"), "ps256"),
)
"""Object identifiers of a private key (PKCS #8) and what it signs with."""

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]+)-----END \1-----")
_URL = re.compile(r"https?://[^\s/]\S*")
_OF_TIMESTAMPS = ("http", "decode error", "timestamp", "time stamp", "tsa")
_EXPIRED = {"signingCredential.expired", "claimSignature.outsideValidity"}
_UNTRUSTED = {"signingCredential.untrusted"}


def is_available() -> bool:
    """Whether c2pa-python is installed."""
    return find_spec("c2pa") is not None


def require_available() -> None:
    """Refuses where c2pa-python is not installed.

    Raises:
        UsageError: It is not.
    """
    if not is_available():
        raise UsageError("signing needs c2pa-python, which is not installed", fix="pip install 'understudy[publish]'")


class Signer:
    """A certificate and its key. The key is read for each signature, and neither kept nor told.

    Args:
        certificate: PEM file: the signer's certificate, then those up to the authority.
        key: PEM file with the private key (PKCS #8) that only its owner can read.
        timestamps: URL of a time-stamping authority (RFC 3161); empty for none, and then nobody is asked.

    Raises:
        UsageError: A file is missing, not private or not what it should be.
    """

    def __init__(self, certificate: Path, key: Path, timestamps: str = "") -> None:
        require_available()
        if timestamps and not _URL.fullmatch(timestamps):
            raise UsageError("is no address of a time-stamping authority", where=timestamps, fix="give --tsa a URL")
        self._certificate = certificate
        self._key = key
        self._timestamps = timestamps
        self._read()

    def _read(self) -> tuple[bytes, bytes, str]:
        chain = _pem_file(self._certificate, "the certificate chain")
        if not any(kind == b"CERTIFICATE" for kind, _ in _PEM.findall(chain)):
            raise UsageError("holds no certificate", where=str(self._certificate), fix="name a PEM file with the chain")
        require_private(self._key, "the key")
        key = _pem_file(self._key, "the key")
        return chain, key, _algorithm(key, self._key)

    def sign(
        self, manifest: Mapping[str, Any], ingredients: Mapping[str, bytes], media_type: str, asset: bytes
    ) -> bytes:
        """A manifest over an asset, not put into it.

        Args:
            manifest: Its definition.
            ingredients: JSON of each ingredient: its definition to the bytes that stand for it.
            media_type: What the asset is.
            asset: Its bytes.

        Returns:
            The manifest, as a ``.c2pa`` file holds it.

        Raises:
            UsageError: The certificate does not do: it has ended, is self-signed or is not the key's.
            UnavailableError: The time-stamping authority does not answer.
        """
        self._require_fit()
        with _told(self._certificate, self._timestamps):
            builder = self._builder(manifest, ingredients)
            builder.set_no_embed()
            signed = bytes(builder.sign(self._signer(), media_type, io.BytesIO(asset), io.BytesIO()))
        self._require_sound(media_type, io.BytesIO(asset), signed)
        return signed

    def embed(self, manifest: Mapping[str, Any], ingredients: Mapping[str, bytes], path: Path) -> None:
        """Puts a manifest into a file; the file is replaced whole or not at all.

        Raises:
            UnsupportedFileError: Its container takes no manifest.
            UsageError: The certificate does not do.
            OutputError: It can't be written.
        """
        media_type = media_type_of(path)
        self._require_fit()
        with (
            atomic(path) as temporary,
            _told(self._certificate, self._timestamps),
            path.open("rb") as source,
            temporary.open("w+b") as target,
        ):
            self._builder(manifest, ingredients).sign(self._signer(), media_type, source, target)
            target.seek(0)
            self._require_sound(media_type, target, None)

    def _require_fit(self) -> None:
        """Says what is wrong with the certificate, for the library only says that something is."""
        if problem := problem_of(self._read()[0]):
            raise UsageError(f"signing was refused: {problem[0]}", where=str(self._certificate), fix=problem[1])

    def _require_sound(self, media_type: str, asset: BinaryIO, manifest: bytes | None) -> None:
        """Reads back what was signed: the library itself signs with a key that is not the certificate's."""
        found = read_manifest(media_type, asset, manifest)
        if found.broken:
            raise UsageError(
                f"the signature does not hold ({found.broken})",
                where=str(self._key),
                fix="name the key that belongs to the certificate",
            )

    def _builder(self, manifest: Mapping[str, Any], ingredients: Mapping[str, bytes]) -> Any:
        import c2pa

        builder = c2pa.Builder(json.dumps(manifest), _context(""))
        for definition, content in ingredients.items():
            builder.add_ingredient(definition, "application/json", io.BytesIO(content))
        return builder

    def _signer(self) -> Any:
        import c2pa

        chain, key, algorithm = self._read()
        url = self._timestamps.encode() or None
        return c2pa.Signer.from_info(
            c2pa.C2paSignerInfo(alg=algorithm.encode(), sign_cert=chain, private_key=key, ta_url=url)
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was read of a manifest.

    Attributes:
        broken: Why it does not hold; empty when it does.
        expired: The signer's certificate has ended.
        trusted: One of the authorities vouches for the signer.
        signer: The signer's name, and the organization's.
        time: When it was signed, by a time-stamping authority that is trusted, UTC; empty where none says so.
        definition: The active manifest.
    """

    broken: str
    expired: bool
    trusted: bool
    signer: str
    time: str
    definition: dict[str, Any]


def read_manifest(media_type: str, asset: BinaryIO, manifest: bytes | None, anchors: str = "") -> Manifest:
    """Reads and validates a manifest.

    Args:
        media_type: What the asset is.
        asset: The asset, open for reading.
        manifest: The manifest beside it; None for the one in it.
        anchors: PEM certificates of trusted authorities; empty for none.

    Raises:
        UnreadableFileError: There is no manifest, or it is damaged.
    """
    import c2pa

    try:
        reader = c2pa.Reader(media_type, asset, manifest_data=manifest, context=_context(anchors))
        state = reader.get_validation_state()
        document = json.loads(reader.json())
    except c2pa.C2paError as error:
        raise UnreadableFileError(f"is no sound C2PA manifest: {_plain(error)}") from None
    active = document["manifests"][document["active_manifest"]]
    results = document.get("validation_results", {}).get("activeManifest", {})
    codes = {failure["code"] for failure in results.get("failure", ())}
    sound = {success["code"] for success in results.get("success", ())}
    wrong = sorted(codes - _EXPIRED - _UNTRUSTED)
    info = active.get("signature_info", {})
    names = [name for name in (info.get("common_name"), info.get("issuer")) if name]
    return Manifest(
        broken=", ".join(wrong) or ("invalid" if state == "Invalid" and not codes & _EXPIRED else ""),
        expired=bool(codes & _EXPIRED),
        trusted=state == "Trusted" and not codes,
        signer=" of ".join(names) or "the signer",
        time=str(info.get("time", "")) if "timeStamp.trusted" in sound else "",
        definition=active,
    )


def media_type_of(path: Path) -> str:
    """The media type of a file that takes a manifest.

    Raises:
        UnsupportedFileError: It takes none.
    """
    known = EMBEDDABLE.get(path.suffix.lower())
    if known is None:
        raise UnsupportedFileError(
            f"a {path.suffix or 'file without extension'} takes no embedded manifest",
            where=str(path),
            fix=f"those that do: {', '.join(EMBEDDABLE)}; frames are covered by the record's manifest",
        )
    return known


def read_anchors(path: Path) -> str:
    """The authorities in a PEM file.

    Raises:
        UsageError: It can't be read, or holds no certificate.
    """
    content = _pem_file(path, "the authorities")
    if not any(kind == b"CERTIFICATE" for kind, _ in _PEM.findall(content)):
        raise UsageError("holds no certificate", where=str(path), fix="name a PEM file with the authorities")
    return content.decode("ascii", "replace")


def _context(anchors: str) -> Any:
    import c2pa

    trust = {"trust_config": PURPOSES} | ({"user_anchors": anchors} if anchors else {})
    settings = {
        "builder": {"thumbnail": {"enabled": False}},  # they would be larger than all the rest
        "verify": {
            "verify_trust": True,
            "verify_after_sign": False,
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
        },
        "trust": trust,
    }
    return c2pa.Context(c2pa.Settings.from_json(json.dumps(settings)))


@contextmanager
def _told(certificate: Path, timestamps: str) -> Iterator[None]:
    """Turns the library's errors into ours. It never tells of keys."""
    import c2pa

    try:
        yield
    except c2pa.C2paError as error:
        if timestamps and any(word in str(error).lower() for word in _OF_TIMESTAMPS):
            fix = "is it up, and an RFC 3161 authority? leave --tsa out to sign without a time stamp"
            raise UnavailableError(
                f"nothing was signed: no time stamp came ({_plain(error)})", where=timestamps, fix=fix
            ) from None
        fix = "name a certificate for signing, its chain up to the authority, and its own key"
        raise UsageError(f"signing was refused: {_plain(error)}", where=str(certificate), fix=fix) from None


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _pem_file(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{what} can't be read: {error.strerror}", where=str(path)) from None


def _algorithm(key: bytes, path: Path) -> str:
    found = _PEM.search(key)
    if found is None or found[1] != b"PRIVATE KEY":
        kind = found[1].decode().lower() if found else "no PEM key"
        raise UsageError(
            f"the key is {kind}, and PKCS #8 without a passphrase is needed",
            where=str(path),
            fix="convert it: openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW; chmod 600 NEW",
        )
    try:
        head = base64.b64decode(found[2], validate=False)[:64]
    except binascii.Error:
        head = b""
    for identifier, algorithm in _ALGORITHMS:
        if identifier in head:
            return algorithm
    raise UsageError("the key is of no kind that C2PA signs with", where=str(path), fix="use an EC, RSA or Ed25519 key")
