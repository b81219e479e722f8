# SPDX-License-Identifier: Apache-2.0
"""A certificate authority and signers, made for a test."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def make_key(kind: str = "p256") -> Key:
    match kind:
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> x509.Name:
    names = [(NameOID.COMMON_NAME, text), (NameOID.ORGANIZATION_NAME, "Studio")]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in names])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def pem(key: Key, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


@dataclass(frozen=True)
class Identity:
    """Files of a signer."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority whose certificate lies at ``file``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._key = make_key()
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            self._builder(self._key, _name(name), now - dt.timedelta(days=9), now + dt.timedelta(days=999))
            .issuer_name(_name(name))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def signer(self, name: str, *, kind: str = "p256", days: float = 9, seconds: float = 0) -> Identity:
        """A signer whose certificate ends after some days and seconds."""
        end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days, seconds=seconds)
        return self.issue(name, kind=kind, start=min(end, dt.datetime.now(dt.UTC)) - dt.timedelta(days=5), end=end)

    def issue(
        self,
        name: str,
        *,
        kind: str = "p256",
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
        only_purpose: bool = False,
        may_sign: bool = True,
        is_authority: bool = False,
        above: tuple[x509.Certificate, ...] | None = None,
    ) -> Identity:
        """A certificate of whatever kind, and its chain: ``above``, or this authority's own."""
        key = make_key(kind)
        now = dt.datetime.now(dt.UTC)
        builder = (
            self._builder(key, _name(name), start or now - dt.timedelta(days=5), end or now + dt.timedelta(days=9))
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if may_sign:
            builder = builder.add_extension(_usage(authority=is_authority), critical=True)
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=only_purpose)
        certificate = builder.sign(self._key, hashes.SHA256())
        identity = Identity(self._folder / f"{name}.chain.pem", self._folder / f"{name}.key.pem")
        chain = (certificate, *((self.certificate,) if above is None else above))
        identity.certificate.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain))
        identity.key.write_bytes(pem(key))
        identity.key.chmod(0o600)
        return identity

    def below(self, name: str) -> "Authority":
        """An intermediate authority, whose own certificate this one issued."""
        now = dt.datetime.now(dt.UTC)
        lower = Authority(self._folder, name)
        lower.certificate = (
            self._builder(lower._key, _name(name), now - dt.timedelta(days=9), now + dt.timedelta(days=99))
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return lower

    @staticmethod
    def _builder(key: Key, name: x509.Name, start: dt.datetime, end: dt.datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
