# SPDX-License-Identifier: Apache-2.0
"""Why a certificate can't sign: what C2PA asks of one (specification 2.x, 14.5), each with a sentence of its own."""

import datetime as dt
from itertools import pairwise
from typing import Any

_EMAIL = "1.3.6.1.5.5.7.3.4"
_DOCUMENTS = "1.3.6.1.5.5.7.3.36"
_ANY = "2.5.29.37.0"

PURPOSES = f"{_EMAIL}\n{_DOCUMENTS}\n"
"""Extended key usages a signer may have: e-mail protection and document signing (RFC 9336)."""

_NEEDED = "have one issued with keyUsage digitalSignature and extendedKeyUsage emailProtection"


def problem_of(chain: bytes, *, now: dt.datetime | None = None) -> tuple[str, str] | None:
    """What is wrong with the first certificate of a chain as a signer's, and what to do; None where nothing is seen.

    Args:
        chain: PEM certificates, the signer's first.
        now: The time to judge by; None for this moment.
    """
    try:
        from cryptography import x509
    except ImportError:  # c2pa-python brings it; without either nobody signs
        return None
    try:
        certificates = x509.load_pem_x509_certificates(chain)
        signer = certificates[0]
        usages = _purposes(signer)
        may_sign, is_authority = _uses(signer)
    except ValueError as error:
        return f"the certificate can't be read: {' '.join(str(error).split())[:200]}", "name a PEM file with the chain"
    now = now or dt.datetime.now(dt.UTC)
    if is_authority and not all(_uses(one)[1] for one in certificates):
        return "the chain begins with an authority's certificate", "put the signer's certificate first"
    if signer.issuer == signer.subject:
        return "the certificate is self-signed", "have one issued by an authority of your studio"
    if is_authority:
        return "the certificate is an authority's, which may not sign content", _NEEDED
    if now > signer.not_valid_after_utc:
        return f"the certificate ended on {signer.not_valid_after_utc:%Y-%m-%d}", "have it renewed"
    if now < signer.not_valid_before_utc:
        return f"the certificate is not valid before {signer.not_valid_before_utc:%Y-%m-%d}", "wait, or name another"
    if not may_sign:
        return "the certificate's key usage does not have digitalSignature", _NEEDED
    if not usages:
        return "the certificate has no extended key usage, so it is not one for signing content", _NEEDED
    if _ANY in usages or not {_EMAIL, _DOCUMENTS} & set(usages):
        names = ", ".join(usages.values())
        return f"the certificate's extended key usage is {names}, so it is not one for signing content", _NEEDED
    for below, above in pairwise(certificates):
        if below.issuer != above.subject:
            problem = f"the chain is broken: {_name(below.subject)} was not issued by {_name(above.subject)}"
            return problem, "name the certificates in order, each followed by its issuer's"
    return None


def _purposes(certificate: Any) -> dict[str, str]:
    """Extended key usages, identifier to name."""
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return {}
    names = {one.dotted_string: str(getattr(one, "_name", "")) for one in found}
    return {number: name if name.isalnum() else number for number, name in names.items()}


def _uses(certificate: Any) -> tuple[bool, bool]:
    """Whether it may sign, and whether it is an authority's."""
    from cryptography import x509

    def value(kind: Any) -> Any:
        try:
            return certificate.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    usage, constraints = value(x509.KeyUsage), value(x509.BasicConstraints)
    return bool(usage and usage.digital_signature), bool(constraints and constraints.ca)


def _name(subject: Any) -> str:
    text = subject.rfc4514_string()
    return str(text)
