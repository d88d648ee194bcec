"""A time authority: OpenSSL's own `openssl ts`, with certificates made for the test. No network."""

from __future__ import annotations

import base64
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from verifier.trust.policy import TimeAuthority

CONFIG = """
[tsa]
default_tsa = this
[this]
serial = {folder}/serial
signer_cert = {folder}/signer.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
tsa_name = yes
"""

# openssl 3.0 writes the root behind the signer's certificate, though the root's is the shorter and in DER the first
BRINGS_ITS_ROOT = "certs = {folder}/root.pem\n"
NAMES_ITS_ROOT = BRINGS_ITS_ROOT + "ess_cert_id_chain = yes\n"
SIGNS_WITH_ITS_ROOT = "signer_cert = {folder}/root.pem\nsigner_key = {folder}/root.key\n"


@dataclass(frozen=True)
class Authority:
    folder: Path
    name: str
    extra: str = ""
    """Lines of its configuration, such as `BRINGS_ITS_ROOT`."""

    @property
    def pinned(self) -> TimeAuthority:
        """As a policy names it: the certificate that signs, then the root."""
        files = (self.folder / "signer.pem", self.folder / "root.pem")
        found = (x509.load_pem_x509_certificate(file.read_bytes()) for file in files)
        return TimeAuthority(self.name, tuple(base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in found))

    def stamp(self, request: bytes) -> bytes:
        """The response to a request, made now."""
        (self.folder / "request.tsq").write_bytes(request)
        (self.folder / "ts.cnf").write_text((CONFIG + self.extra).format(folder=self.folder))
        openssl("ts", "-reply", "-config", self.folder / "ts.cnf", "-queryfile", self.folder / "request.tsq", "-out",
                self.folder / "response.tsr")  # fmt: skip
        return (self.folder / "response.tsr").read_bytes()

    def checks(self, response: Path, data: Path, at: datetime | None = None) -> bool:
        """Whether `openssl ts -verify` accepts a response over these bytes, now or at another time."""
        when = ["-attime", int(at.timestamp())] if at else []
        done = subprocess.run(
            list(map(str, ["openssl", "ts", "-verify", "-in", response, "-data", data, "-CAfile", self.folder / "root.pem",
                           "-untrusted", self.folder / "signer.pem", *when])), capture_output=True, text=True,
        )  # fmt: skip
        assert ("Verification: OK" in done.stdout) == (done.returncode == 0), done
        return done.returncode == 0


def authority(
    folder: Path,
    name: str = "Example TSA",
    begins: timedelta = timedelta(days=-1),
    ends: timedelta = timedelta(days=1),
    may_stamp: bool = True,
    root_may_stamp: bool = False,
) -> Authority:
    """A new authority whose signing certificate is valid from and until so long after now."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder.mkdir(parents=True)
    now = datetime.now(UTC)
    root_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} root")])
    signer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} signer")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(root_name)
        .issuer_name(root_name)
        .public_key(root_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
    )
    if root_may_stamp:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    root = builder.sign(root_key, SHA256())
    usage = ExtendedKeyUsageOID.TIME_STAMPING if may_stamp else ExtendedKeyUsageOID.CODE_SIGNING
    signer = (
        x509.CertificateBuilder()
        .subject_name(signer_name)
        .issuer_name(root_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, SHA256())
    )
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "signer.pem").write_bytes(signer.public_bytes(Encoding.PEM))
    (folder / "root.key").write_bytes(_pem(root_key))
    (folder / "signer.key").write_bytes(_pem(key))
    (folder / "serial").write_text("01\n")
    (folder / "ts.cnf").write_text(CONFIG.format(folder=folder))
    return Authority(folder, name)


def openssl(*arguments: object) -> str:
    """What OpenSSL says.

    Raises:
        subprocess.CalledProcessError: it refuses.
    """
    done = subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True)
    return done.stdout


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
