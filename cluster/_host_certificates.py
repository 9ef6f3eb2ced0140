"""Host certificates: a host that shows its key with an authority's word for it.

OpenSSH's form (PROTOCOL.certkeys): the authority has signed the host's public key together with
the names it holds for and from when to when.  Whoever has the authority in known_hosts
(``@cert-authority *.lab ssh-ed25519 AAAA...``) need not know the host's own key.

paramiko shakes hands with such a host, which proves that the host has the private key; it
believes the certificate unread.  So all that makes it worth believing is looked at here, and
strictly: no certificate without names, no critical options (a host's have none), no
authority that is revoked.
"""

from __future__ import annotations

import base64
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    SSHCertPublicKeyTypes,
    load_ssh_public_identity,
)

from cluster._known_hosts import HostKey, KnownHost, fits

SUFFIX: Final = "-cert-v01@openssh.com"


def certificate_trouble(
    certificate: HostKey, key: HostKey, known: KnownHost, name: str, now_s: float
) -> str | None:
    """Why the certificate does not prove that `key` is that of the host; None if it does.

    `key` is the one by which the host has proven itself, `name` that under which known_hosts
    has it, without a port, and `now_s` the time in seconds since 1970.
    """
    line = certificate.kind.encode() + b" " + base64.b64encode(certificate.blob)
    try:
        read = load_ssh_public_identity(line)
        if not isinstance(read, SSHCertificate) or read.type is not SSHCertificateType.HOST:
            return "its certificate is none for hosts"
        certified, authority = _key(read.public_key()), _key(read.signature_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"its certificate cannot be read: {error}"
    if certified != key:
        return "its certificate is for another key"
    if authority in known.revoked:
        return f"its certificate is signed by {authority.fingerprint}, which is revoked"
    if authority not in known.authorities:
        return f"its certificate is signed by {authority.fingerprint}, which is no authority for it"
    try:
        read.verify_cert_signature()
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
        return f"the signature of its certificate is wrong ({type(error).__name__})"
    if not read.valid_after <= now_s < read.valid_before:
        return "its certificate is not valid now; compare the clocks, or have it signed anew"
    names = [each.decode("utf-8", "replace") for each in read.valid_principals]
    if not any(fits(each.lower(), name.lower()) for each in names):
        return f"its certificate is for {', '.join(names) or 'no name'}, not for {name}"
    if read.critical_options:
        return "its certificate has critical options, which hosts have not"
    return None


def _key(public: SSHCertPublicKeyTypes) -> HostKey:
    kind, blob = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[:2]
    return HostKey(kind.decode(), base64.b64decode(blob))
