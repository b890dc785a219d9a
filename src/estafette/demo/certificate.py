"""A certificate that nobody vouches for: what most receiving servers have, made anew at every start."""

import datetime
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from estafette.clock import Clock, to_datetime


def self_signed(name: str, clock: Clock) -> ssl.SSLContext:
    """A server's TLS context under `name`, valid for ten years around now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = to_datetime(clock.now_us())
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(int.from_bytes(clock.token_bytes(15), "big") + 1).not_valid_before(now - datetime.timedelta(days=1))
    made = made.not_valid_after(now + datetime.timedelta(days=3650)).add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    signed = made.sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:  # ssl loads from files only
        file = Path(folder) / "both.pem"
        file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(file)
    return context
